"""Where a top-up is paid: the gateway's page behind a signed link, which says what was agreed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from core_billing.topups import CARD, LINK_AGE_MAX, PAY_PATHS, Topup
from shared.crypto import Link, Signer, write_link

PURPOSE: Final = "pay"


def pay_address(
    signer: Signer, ordered: Topup, return_url: str, at: datetime, *, asks: bool = False
) -> str:
    """Return where the subscriber pays this order: the gateway's page with a signed link.

    `asks` says that the cabinet asks for leave to save cards, so that the gateway need not.
    """
    link = Link(
        audience=ordered.gateway,
        purpose=PURPOSE,
        subject=str(ordered.order_id),
        expires_at=at + LINK_AGE_MAX,
        claims={
            "contract": ordered.contract,
            "amount_kopecks": ordered.amount_kopecks,
            "return_url": return_url,
            "correlation_id": ordered.correlation_id,
            **(_saving(ordered) if asks and ordered.gateway == CARD else {}),
        },
    )
    return f"{PAY_PATHS[ordered.gateway]}?{urlencode({'order': write_link(signer, link)})}"


def _saving(ordered: Topup) -> dict[str, Any]:
    if ordered.agreed_version is None:
        return {"save_asked": True}
    consent = {
        "version": ordered.agreed_version,
        "given_at": ordered.created_at.isoformat(),
        "address": ordered.agreed_address,
    }
    return {"save_asked": True, "save_method": {"consent": consent}}
