"""Reading a letter: MIME in, plain fields out."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass(frozen=True, slots=True)
class Letter:
    """What a person sees of a letter."""

    sender: str
    subject: str
    text: str
    html: str | None
    message_id: str | None


def read(raw: bytes, envelope_sender: str) -> Letter:
    """Decode a letter; broken MIME shows as far as it can be read."""
    parsed = message_from_bytes(raw, policy=policy.default)
    return Letter(
        sender=str(parsed.get("From", envelope_sender)),
        subject=str(parsed.get("Subject", "")),
        text=_part(parsed, "plain") or "",
        html=_part(parsed, "html"),
        message_id=parsed.get("Message-ID"),
    )


def _part(parsed: EmailMessage, kind: str) -> str | None:
    part = parsed.get_body((kind,))
    if part is None:
        return None
    try:
        return str(part.get_content()).strip()
    except (LookupError, ValueError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else None
