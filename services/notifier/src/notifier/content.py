"""What leaves for a subscriber: the address and the words, sealed together in the message's row."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

from shared.crypto import Vault

_SIGNED = re.compile(r"(\btoken=)[\w.~%+/=-]+")


class Content(BaseModel):
    """An address and what it is to read; subject and HTML are empty in an SMS."""

    model_config = ConfigDict(frozen=True)

    to: str
    text: str
    subject: str = ""
    html: str = ""
    unsubscribe_url: str = ""
    """Where the reader of an e-mail leaves its kind with one request (RFC 8058)."""


def shown(text: str) -> str:
    """Return words as others may read them: links lose what lets them act for their reader."""
    return _SIGNED.sub(r"\1…", text)


def seal(vault: Vault, content: Content) -> str:
    """Return the content encrypted with the newest key."""
    return vault.encrypt(content.model_dump_json())


def unseal(vault: Vault, sealed: str) -> Content:
    """Return the content; raises ValueError where no listed key reads it."""
    return Content.model_validate_json(vault.decrypt(sealed))
