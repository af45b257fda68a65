"""What callers of the API do: one transaction with its idempotency key and its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from pydantic import BaseModel

from autopay.autopay import Autopay
from autopay.consents import Consent
from autopay.web.base import AUTOPAY
from shared import api as apis
from shared import idempotency
from shared.api import TOKEN
from shared.db import Tx
from shared.gateway.forms import Agreed
from shared.idempotency import Answer
from shared.repeats import repeated
from shared.settings import ApiToken


@dataclass(frozen=True)
class Act:
    """Who does something, and when."""

    autopay: Autopay
    token: ApiToken
    at: datetime

    def consent(self, agreed: Agreed | None = None) -> Consent:
        """Return the proof that is kept: what the caller says of the subscriber's consent.

        Raises Invalid for a consent that lies in the future.
        """
        channel = f"api:{self.token.name}"
        if agreed is None:
            return Consent("", self.at, None, channel)
        said = agreed.consent(channel, self.at)
        return Consent(said.version, said.given_at, said.address, channel)


Do = Callable[[Tx, Act], Awaitable[BaseModel]]


async def perform(
    request: web.Request, asked: BaseModel | None, do: Do, status: int = 200
) -> web.Response:
    """Do an act once: its effect, its key and its answer are one transaction.

    The same Idempotency-Key and request get the first answer again; raises Conflict, as
    `idempotency_conflict`, for another request.
    """
    autopay, token = request.app[AUTOPAY], request[TOKEN]
    key = apis.idempotency_key(request)
    said = b"" if asked is None else asked.model_dump_json(exclude_unset=True).encode()
    named = f"{request.method} {request.path_qs} ".encode() + said

    async def once(tx: Tx) -> Answer:
        act = Act(autopay, token, autopay.clock())
        if key is not None:
            signer = autopay.producer.signer
            first = await idempotency.claim(tx, signer, token.name, key, named, act.at)
            if first is not None:
                return first
        answer = Answer(status, (await do(tx, act)).model_dump_json().encode())
        if key is not None:
            await idempotency.keep(tx, token.name, key, answer)
        return answer

    answer = await repeated(autopay.db, once)
    return web.Response(body=answer.body, status=answer.status, content_type="application/json")
