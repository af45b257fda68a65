"""Leave to save the card of a top-up for autopay: what the subscriber is shown, and their yes.

Nothing is charged for it by itself: that takes a mandate, which is made on autopay's own page with
a consent of its own. Source: 376-FZ (a saved method is withdrawn at once and by electronic means);
YooKassa, "Autopayments": the payer agrees to saving before they pay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from core_billing.topups import CARD, Agreed
from core_billing.web.visit import Visit
from shared.client import client_address
from shared.errors import Text
from shared.web.texts import Catalogue

VERSION: Final = "cabinet-1"
"""Names the text under which a subscriber agrees; another text has another version."""
FIELD: Final = "save"

TEXTS: Final[Catalogue] = {
    "save_card": Text("Remember the card for autopay", "Запомнить карту для автоплатежа"),
    "save_card_text": Text(
        "I agree that the card is saved and that contract {number} may be topped up from it"
        " automatically, as I set it up under “Autopay”. Until then nothing is charged. I can"
        " refuse at any moment under “Autopay”: the card is removed at once and never charged"
        " again.",
        "Согласен, чтобы карта была сохранена и договор {number} пополнялся с неё автоматически"
        " так, как я настрою в разделе «Автоплатёж». До этого ничего не списывается. Отказаться"
        " можно в любой момент в разделе «Автоплатёж»: карта удаляется сразу, и списаний с неё"
        " больше не будет.",
    ),
}


def agreed(
    request: web.Request, visit: Visit, form: Mapping[str, str], gateway: str
) -> Agreed | None:
    """Return the consent a form carries; None where it has none, or nobody was to be asked.

    The text speaks of a card, so it is no consent to save anything else.
    """
    if FIELD not in form or not visit.cabinet.saves or gateway != CARD:
        return None
    address = client_address(request, visit.cabinet.trusted_proxies)
    return Agreed(VERSION, None if address is None else str(address))
