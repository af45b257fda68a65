"""SMS over SMPP 3.4: one connection that stays, long texts in parts, receipts as reports.

SMPP knows no idempotence. After an unknown outcome the message is sent again, and the doubt stays
written. Its parts carry the same reference then, so that a phone puts them together as one. A
receipt is asked for the last part: it stands for the message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Final, Literal

from notifier.channels import smpp_errors, smpp_text
from notifier.channels import smpp_wire as wire
from notifier.channels.pace import Pace
from notifier.channels.port import (
    Accepted,
    ChannelName,
    Held,
    Outcome,
    Outgoing,
    Permanent,
    Temporary,
)
from notifier.channels.smpp_keeper import Keeper
from notifier.channels.smpp_link import Link, Unsent
from notifier.channels.smpp_wire import Address, Submit

Long = Literal["udh", "sar", "payload"]
"""How a long text travels: parts behind headers, parts with optional parameters, or whole."""
_TRIES: Final = 5
"""How often a further part of a message is tried while the provider asks for fewer."""
_INTERNATIONAL: Final = 1
_ISDN: Final = 1


@dataclass(frozen=True)
class Writing:
    """How messages are written."""

    source: Address
    long: Long = "udh"


class Smpp:
    """The SMS channel over SMPP; `parallel_max` is the provider's window."""

    name: ChannelName = "sms"

    def __init__(self, keeper: Keeper, writing: Writing, parallel_max: int) -> None:
        self._keeper = keeper
        self._writing = writing
        self._parallel_max = parallel_max
        self._pace = Pace("sms")

    @property
    def parallel(self) -> int:
        """As many as the window; none while the provider has asked for fewer."""
        return 0 if self._pace.wait() else self._parallel_max

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Hold the connection, and make it anew whenever it is lost."""
        return self._keeper.running()

    async def send(self, outgoing: Outgoing) -> Outcome | Held:
        """Hand one SMS to the provider."""
        if wait := self._pace.wait():
            return Held(wait)
        try:
            bodies = [wire.submit(part) for part in submits(outgoing, self._writing)]
        except ValueError:
            return Permanent("smpp: no SMS can be made of this text and address", ours=True)
        link = await self._keeper.link()
        if isinstance(link, Temporary):
            return link
        first = await self._submit(link, bodies[0])
        return await self._rest(link, bodies[1:], first, outgoing)

    async def _rest(
        self,
        link: Link,
        bodies: Sequence[bytes],
        answer: str | Outcome | Held,
        outgoing: Outgoing,
    ) -> Outcome | Held:
        """Submit the parts after the first one, of which the answer is given."""
        if not isinstance(answer, str):
            return answer
        for body in bodies:
            answer = await self._patiently(link, body)
            if isinstance(answer, Temporary):
                # What was taken of it before is on its way to the phone.
                return replace(answer, unknown=True)
            if not isinstance(answer, str):
                return answer
        return Accepted(answer, perhaps_twice=outgoing.doubtful)

    async def _patiently(self, link: Link, body: bytes) -> str | Outcome:
        """Submit a further part: half a message is worth waiting for."""
        for _ in range(_TRIES):
            answer = await self._submit(link, body)
            if not isinstance(answer, Held):
                return answer
            await asyncio.sleep(answer.wait.total_seconds())
        return Temporary("smpp: asked to be slower in the middle of a message")

    async def _submit(self, link: Link, body: bytes) -> str | Outcome | Held:
        """Submit one part; return its id."""
        try:
            said = await link.submit(body)
        except Unsent:
            return Temporary("smpp: the connection was just lost", channel=True)
        except (TimeoutError, OSError) as error:
            reason = f"smpp: no answer ({type(error).__name__})"
            return Temporary(reason, unknown=True, channel=True)
        if said.status in smpp_errors.SLOWER:
            return self._pace.slow(None)
        if said.status != wire.OK:
            return smpp_errors.meaning(said.status)
        try:
            return wire.message_id(said.body)
        except wire.Malformed:
            return Temporary("smpp: taken, but without an id", unknown=True, channel=True)


def submits(outgoing: Outgoing, writing: Writing) -> list[Submit]:
    """Return what is submitted for a message, in order; raises ValueError for what cannot be."""
    text = smpp_text.written(outgoing.content.text)
    number = Address(_INTERNATIONAL, _ISDN, outgoing.content.to.lstrip("+"))
    whole = Submit(writing.source, number, text.parts[0], text.coding)
    if len(text.parts) == 1:
        return [whole]
    if writing.long == "payload":
        return [replace(whole, text=b"", options={wire.MESSAGE_PAYLOAD: text.whole})]
    reference = outgoing.key.int
    if writing.long == "udh":
        headed = smpp_text.headed(text.parts, reference)
        parts = [replace(whole, text=part, esm_class=wire.HAS_HEADER) for part in headed]
    else:
        parts = [
            replace(whole, text=part, options=_segment(reference, len(text.parts), n))
            for n, part in enumerate(text.parts, 1)
        ]
    return [replace(part, receipt=False) for part in parts[:-1]] + parts[-1:]


def _segment(reference: int, total: int, number: int) -> dict[int, bytes]:
    """Return the optional parameters of a part (5.3.2.22-24)."""
    return {
        wire.SAR_REFERENCE: (reference & 0xFFFF).to_bytes(2, "big"),
        wire.SAR_TOTAL: bytes((total,)),
        wire.SAR_NUMBER: bytes((number,)),
    }
