"""`/notifier/v1/preferences/{contract}`: what is chosen for a contract, for the operator's systems.

An address that the operator gives counts as confirmed: it has the subscriber's word for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from notifier import addresses, choosing, preferences
from notifier.channels.port import ChannelName
from notifier.choosing import Choosing
from notifier.kinds import KINDS
from notifier.preferences import NONE, Chosen, Preference
from notifier.web import api
from shared.api import answer
from shared.db import reading

CHOOSING: Final = web.AppKey("notifier_choosing", Choosing)


class AddressView(BaseModel):
    """An address of the subscriber's own: masked, and when it was confirmed."""

    address: str
    confirmed_at: AwareDatetime | None


class PreferencesView(BaseModel):
    """What is chosen for a contract; what is null or empty is as the operator has set it."""

    contract: str
    revision: int = Field(description="0 where nothing was ever chosen")
    chosen: Chosen
    addresses: Mapping[ChannelName, AddressView]
    channels: tuple[ChannelName, ...] = Field(description="those of this installation")
    always: tuple[str, ...] = Field(description="kinds that cannot be switched off altogether")


class PreferencesBody(Chosen):
    """What is to be chosen: all of it, for it replaces what was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    addresses: Mapping[ChannelName, Annotated[str, Field(max_length=500)] | None] = Field(
        {}, description="those that change: null takes one away, others stay as they are"
    )


@api.get(
    "/v1/preferences/{contract}",
    answers={200: PreferencesView},
    scope="preferences:read",
    summary="Show what is chosen for a contract",
)
async def show_preferences(request: web.Request) -> web.Response:
    """Answer what is chosen."""
    here, contract = request.app[CHOOSING], request.match_info["contract"]
    async with reading(here.db) as tx:
        await choosing.known(tx, here, contract)
        found = (await preferences.find(tx, here.vault, [contract])).get(contract, NONE)
    return answer(_view(here, contract, found))


@api.put(
    "/v1/preferences/{contract}",
    body=PreferencesBody,
    answers={200: PreferencesView},
    scope="preferences:write",
    summary="Replace what is chosen for a contract",
)
async def put_preferences(request: web.Request, body: PreferencesBody) -> web.Response:
    """Choose, and answer what is chosen now."""
    here, contract = request.app[CHOOSING], request.match_info["contract"]
    chosen = Chosen(**{name: getattr(body, name) for name in Chosen.model_fields})
    after = await choosing.choose(here, contract, chosen, body.addresses)
    return answer(_view(here, contract, after))


def _view(here: Choosing, contract: str, found: Preference) -> PreferencesView:
    shown = {
        channel: AddressView(address=addresses.masked(each.address), confirmed_at=each.confirmed_at)
        for channel, each in found.addresses.items()
    }
    return PreferencesView(
        contract=contract,
        revision=found.revision,
        chosen=found.chosen,
        addresses=shown,
        channels=here.reaching.channels,
        always=tuple(name for name, kind in KINDS.items() if not kind.refusable),
    )
