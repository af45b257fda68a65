"""What the pages of this gateway say beside the shared ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.errors import Text

TEXTS: Final[Mapping[str, Text]] = {
    "sheet": Text("Codes for paper bills", "Коды для бумажных счетов"),
    "sheet_ready": Text("{ready} of {total} codes are ready", "Готово кодов: {ready} из {total}"),
    "sheet_again": Text("Look again", "Обновить"),
    "sheet_further": Text("Further codes", "Следующие коды"),
    "sheet_how": Text(
        "Scan with your telephone's camera or in your bank's app and type the sum",
        "Наведите камеру телефона или сканер в приложении банка и введите сумму",
    ),
}
