"""The JSON API of saved methods: bind one, look at them, remove one."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared import api as apis
from shared import log as logs
from shared.api import TOKEN, Api
from shared.db import reading, transaction
from shared.errors import NotFound, Text
from shared.gateway import directory, methods, methods_binding, methods_saving
from shared.gateway.forms import Agreed, Body, Contact, Line
from shared.gateway.gateway import Gateway
from shared.gateway.limits import Limits
from shared.gateway.method import MethodStatus
from shared.gateway.methods_binding import Wish
from shared.gateway.methods_rules import Method
from shared.gateway.methods_stop import stop_link

_UNKNOWN: Final = Text("There is no such payment method", "Такого способа оплаты нет")


class NewMethod(Body):
    """A card or account to bind without a payment, and the payer's consent to it."""

    contract: Line
    kind: Line
    return_url: Annotated[str, Field(max_length=2048)]
    consent: Agreed
    contact: Contact | None = None


class OfContract(BaseModel):
    """Whose methods are meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract: Line


class Within(BaseModel):
    """Where given, a method of another contract is as good as none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract: Line | None = None


class ConsentView(BaseModel):
    """What the payer agreed to."""

    version: str
    given_at: AwareDatetime
    address: str | None
    channel: str


class MethodView(BaseModel):
    """A saved method as its owner's services see it; the provider's token is never shown."""

    id: UUID
    contract: str
    status: MethodStatus
    kind: str
    title: str
    expires: str | None
    confirmation_url: str | None
    """Where the payer confirms a binding; null while it is being made, and afterwards."""
    created_at: AwareDatetime
    removed_at: AwareDatetime | None
    reason: str | None
    consent: ConsentView
    stop_url: str
    """The signed page on which the payer removes the method without signing in."""


class MethodList(BaseModel):
    """The methods of a contract, newest first; removed ones are not among them."""

    items: tuple[MethodView, ...]


def add(api: Api, gateway: Gateway, limits: Limits) -> None:
    """Add the operations of saved methods to a gateway's API."""
    page_url = f"{limits.public_url.rstrip('/')}{api.prefix}/methods/stop"

    def view(method: Method) -> MethodView:
        url = method.confirmation_url and gateway.vault.decrypt(method.confirmation_url)
        return _view(method, url, stop_link(gateway, page_url, method.id))

    @api.post(
        "/v1/methods",
        body=NewMethod,
        answers={201: MethodView, 202: MethodView},
        scope="payments:write",
        summary="Bind a card or account without a payment; 202 while it is being made",
        keyed=True,
    )
    async def bind(request: web.Request, body: NewMethod) -> web.Response:
        token, key = request[TOKEN], apis.idempotency_key(request)
        limits.check_return_url(body.return_url, token.return_urls)
        known = {body.contract: "contract"}
        operators = await directory.require_open(gateway.db, known, limits.contract_wait)
        shop = gateway.maker(operators).shop
        wish = Wish(
            contract=body.contract,
            kind=body.kind,
            return_url=body.return_url,
            consent=body.consent.consent(token.name, gateway.clock()),
            correlation_id=logs.correlation_id() or logs.new_correlation_id(),
            contact=(body.contact.model_dump(exclude_none=True) or None) if body.contact else None,
            caller=token.name,
            caller_key=key,
        )
        method = await methods_binding.begin(gateway, shop, wish, gateway.timing.answer_within)
        making = method.status is MethodStatus.CREATING
        return apis.answer(view(method), 202 if making else 201)

    @api.get(
        "/v1/methods",
        query=OfContract,
        answers={200: MethodList},
        scope="payments:read",
        summary="List the saved methods of a contract",
    )
    async def listed(_request: web.Request, query: OfContract) -> web.Response:
        async with reading(gateway.db) as tx:
            found = await methods.of_contract(tx, query.contract)
        return apis.answer(MethodList(items=tuple(map(view, found))))

    @api.get(
        "/v1/methods/{id}",
        query=Within,
        answers={200: MethodView},
        scope="payments:read",
        summary="Look at a saved method, also at a removed one",
    )
    async def show_method(request: web.Request, query: Within) -> web.Response:
        async with reading(gateway.db) as tx:
            found = await methods.find(tx, _id(request))
        if found is None or query.contract not in (None, found.contract):
            raise NotFound(_UNKNOWN)
        return apis.answer(view(found))

    @api.post(
        "/v1/methods/{id}/remove",
        query=Within,
        answers={200: MethodView},
        scope="payments:write",
        summary="Remove a saved method, at once and for good; removed again it stays removed",
    )
    async def remove(request: web.Request, query: Within) -> web.Response:
        at = gateway.clock()
        async with transaction(gateway.db) as tx:
            gone = await methods_saving.remove(tx, gateway, _id(request), at, query.contract)
        if gone is None:
            raise NotFound(_UNKNOWN)
        return apis.answer(view(gone))


def _id(request: web.Request) -> UUID:
    found = methods.parse(request.match_info["id"])
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


def _view(method: Method, confirmation_url: str | None, stop_url: str) -> MethodView:
    consent = method.consent
    return MethodView(
        id=method.id,
        contract=method.contract,
        status=method.status,
        kind=method.kind,
        title=method.title,
        expires=method.expires,
        confirmation_url=confirmation_url,
        created_at=method.created_at,
        removed_at=method.removed_at,
        reason=method.reason or None,
        consent=ConsentView(
            version=consent.version,
            given_at=consent.given_at,
            address=consent.address,
            channel=consent.channel,
        ),
        stop_url=stop_url,
    )
