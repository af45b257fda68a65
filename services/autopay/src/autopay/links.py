"""Signed links to autopay's pages: who holds one may do to its subject what its page can."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from autopay.autopay import Autopay
from shared.crypto import Link, write_link

AUDIENCE: Final = "autopay"
MANDATE: Final = "mandate"
"""The purpose of a link whose subject is a contract: its page of autopay."""
SKIP: Final = "skip"
"""The purpose of a link whose subject is a charge: its page of one button."""


def mandate_url(autopay: Autopay, contract: str, at: datetime) -> str:
    """Return the address of a contract's page; it works as long as links in messages do."""
    return page_url(autopay, MANDATE, contract, at + autopay.rules.link_life)


def skip_url(autopay: Autopay, charge_id: str, at: datetime) -> str:
    """Return the address of the page on which a charge is called off."""
    return page_url(autopay, SKIP, charge_id, at + autopay.rules.link_life)


def page_url(autopay: Autopay, purpose: str, subject: str, expires_at: datetime) -> str:
    """Return the address of a page that a link opens until a moment."""
    token = write_link(autopay.producer.signer, Link(AUDIENCE, purpose, subject, expires_at, {}))
    page = "skip" if purpose == SKIP else ""
    return f"{autopay.public_url.rstrip('/')}/autopay/{page}?token={token}"
