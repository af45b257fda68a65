"""What a command status of SMPP means for a message. Pure.

Source: SMPP 3.4, 5.1.3. 0x400 to 0x4FF are the provider's own: its contract says what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from notifier.channels.port import Permanent, Temporary

SLOWER: Final = (0x14, 0x58)
"""ESME_RMSGQFUL and ESME_RTHROTTLED: all messages are to come more slowly."""


def _account(what: str) -> Temporary:
    return Temporary(what, ours=True, channel=True)


_MEANINGS: Final[Mapping[int, Temporary | Permanent]] = {
    0x01: Permanent("smpp 0x01: wrong length of the text", ours=True),
    0x02: Permanent("smpp 0x02: wrong length of the command", ours=True),
    0x03: _account("smpp 0x03: unknown command"),
    0x04: Temporary("smpp 0x04: not bound any more", channel=True),
    0x05: _account("smpp 0x05: already bound elsewhere"),
    0x06: Permanent("smpp 0x06: wrong priority", ours=True),
    0x07: Permanent("smpp 0x07: wrong registered_delivery", ours=True),
    0x08: Temporary("smpp 0x08: an error of the provider's system", channel=True),
    0x0A: _account("smpp 0x0A: the sender's name is refused"),
    0x0B: Permanent("smpp 0x0B: wrong number", dead=True),
    0x0D: _account("smpp 0x0D: the bind failed"),
    0x0E: _account("smpp 0x0E: wrong password"),
    0x0F: _account("smpp 0x0F: wrong system_id"),
    0x43: Permanent("smpp 0x43: wrong esm_class", ours=True),
    0x45: Temporary("smpp 0x45: the submit failed"),
    0x48: _account("smpp 0x48: wrong TON of the sender"),
    0x49: _account("smpp 0x49: wrong NPI of the sender"),
    0x50: Permanent("smpp 0x50: wrong TON of the number", ours=True),
    0x51: Permanent("smpp 0x51: wrong NPI of the number", ours=True),
    0x53: _account("smpp 0x53: wrong system_type"),
    0x64: Temporary("smpp 0x64: the provider cannot take it now"),
    0x65: Permanent("smpp 0x65: the provider refuses it for good"),
    0x66: Temporary("smpp 0x66: the provider refuses it"),
    0xC0: Permanent("smpp 0xC0: an optional parameter is wrong", ours=True),
    0xC3: Permanent("smpp 0xC3: an optional parameter is missing", ours=True),
    0xFE: Temporary("smpp 0xFE: the delivery failed"),
    0xFF: Temporary("smpp 0xFF: an unknown error"),
}


def meaning(status: int) -> Temporary | Permanent:
    """Return the outcome that a status other than zero stands for."""
    known = _MEANINGS.get(status)
    return known or Temporary(f"smpp 0x{status:02X}: unknown error", ours=True)
