"""How a shop's receipts are told in the environment, with whose cash register prints them."""

from __future__ import annotations

from typing import Literal

from shared.gateway import receipt_settings


class ReceiptSettings(receipt_settings.ReceiptSettings):
    """The receipts of one shop."""

    delivery: Literal["yookassa", "other"] = "yookassa"
    """Whose cash register prints: YooKassa's own sends letters only, others telephones as well."""

    @property
    def email_needed(self) -> bool:
        """Whether the cash register sends letters only, and none to telephones."""
        return self.delivery == "yookassa"
