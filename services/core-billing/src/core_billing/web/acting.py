"""Acts of managers and other systems: one transaction with its idempotency key and its audit row.

A deadlock is repeated here and reaches no caller. `rehearse` does the same and takes it all back:
so a check says exactly what the act would.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from core_billing import audit
from core_billing.rules import Core
from core_billing.web.base import CORE
from shared import api as apis
from shared import idempotency, log, problem
from shared.api import TOKEN
from shared.db import Tx
from shared.errors import SaldoError
from shared.idempotency import Answer
from shared.repeats import repeated
from shared.settings import ApiToken

View = TypeVar("View")


@dataclass(frozen=True)
class Act:
    """Who does something, when, and under which id it is followed."""

    core: Core
    token: ApiToken
    at: datetime
    correlation_id: str

    @property
    def actor(self) -> str:
        """Return the name of the manager or system."""
        return self.token.name

    @property
    def today(self) -> date:
        """Return the billing's day of the act."""
        return self.core.rules.day(self.at)

    def require(self, scope: str) -> None:
        """Raise Forbidden, as `right_missing`, where the actor lacks a scope."""
        apis.require(self.token, scope)


@dataclass(frozen=True)
class Done:
    """What an act has done: what is answered, and what it was done to."""

    view: BaseModel
    subject: str
    """Such as ``contract:100245``, for the audit log."""
    status: int = 201
    named: Mapping[str, Any] = field(default_factory=dict)
    """What the audit log keeps beside the body: which part of the subject it was done to."""


class FieldView(BaseModel):
    """A field that is wrong, and what to do."""

    field: str
    message: str
    code: str | None = None


class CheckView(BaseModel, Generic[View]):
    """What an act would do: `result` is what it would answer, else `code` names the rule."""

    allowed: bool
    code: str | None = None
    detail: str | None = None
    errors: list[FieldView] = []
    result: View | None = None


Do = Callable[[Tx, Act], Awaitable[Done]]


async def perform(
    request: web.Request,
    action: str,
    asked: BaseModel,
    do: Do,
    said: Mapping[str, Any] | None = None,
) -> web.Response:
    """Do an act once: its effect, its key, its answer and its audit row are one transaction.

    `action` is its name in the audit log, such as ``payment.create``; `said` stands there in place
    of the body where that holds what is not to be kept.
    """
    core, token = request.app[CORE], request[TOKEN]
    key = apis.idempotency_key(request)
    # Only what was said: a null that is said and a field that is left out are not the same.
    body = asked.model_dump_json(exclude_unset=True).encode()
    named = f"{request.method} {request.path} ".encode()
    kept = asked.model_dump(mode="json", exclude_unset=True) if said is None else said

    async def once(tx: Tx) -> Answer:
        act = _act(core, token)
        if key is not None:
            signer = core.rules.producer.signer
            first = await idempotency.claim(tx, signer, token.name, key, named + body, act.at)
            if first is not None:
                return first
        done = await do(tx, act)
        answer = Answer(done.status, done.view.model_dump_json().encode())
        if key is not None:
            await idempotency.keep(tx, token.name, key, answer)
        told = {**kept, **done.named}
        await audit.add(tx, act.at, act.actor, action, done.subject, told, act.correlation_id)
        return answer

    answer = await repeated(core.db, once)
    return web.Response(body=answer.body, status=answer.status, content_type="application/json")


async def rehearse(request: web.Request, do: Do) -> web.Response:
    """Answer what an act would do, or which rule says no, and leave everything as it was."""
    core, token = request.app[CORE], request[TOKEN]

    async def once(tx: Tx) -> None:
        raise _TakenBack(await do(tx, _act(core, token)))

    try:
        await repeated(core.db, once)
    except _TakenBack as taken:
        return apis.answer(CheckView[Any](allowed=True, result=taken.done.view))
    except SaldoError as error:
        if not 400 <= error.status < 500:
            raise
        return apis.answer(_refused(request, error))
    raise AssertionError("unreachable: a rehearsal never commits")


class _TakenBack(Exception):
    """Undoes a transaction whose effect was only to be seen."""

    def __init__(self, done: Done) -> None:
        super().__init__()
        self.done = done


def _act(core: Core, token: ApiToken) -> Act:
    correlation_id = log.correlation_id() or log.new_correlation_id()
    return Act(core, token, core.clock(), correlation_id)


def _refused(request: web.Request, error: SaldoError) -> CheckView[Any]:
    chosen = problem.language(request)
    return CheckView[Any](
        allowed=False,
        code=problem.code_of(error),
        detail=error.detail.in_(chosen),
        errors=[
            FieldView(field=one.field, message=one.text.in_(chosen), code=one.code)
            for one in error.fields
        ],
    )
