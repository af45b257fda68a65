"""Which banks there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway_sbp.acquirers.raiffeisen import settings as raiffeisen
from gateway_sbp.acquirers.tbank import settings as tbank
from gateway_sbp.bank import Bank

BANKS: Final[Mapping[str, Bank]] = {bank.name: bank for bank in (raiffeisen.BANK, tbank.BANK)}
