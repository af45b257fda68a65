"""Signatures, signed links and encrypted fields, each with keys that can be rotated.

Keys are listed newest first: the first one writes, all of them read. What is signed is bound to a
purpose, so that a signature made for an event can never open a link.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import Forbidden, Text

LINK_LENGTH_MAX: Final = 2048


class Signer:
    """Signs with the newest key and accepts every listed one."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("at least one signing key is needed")
        self._keys = tuple(key.encode() for key in keys)
        self._derived: dict[str, tuple[bytes, ...]] = {}

    def sign(self, purpose: str, message: bytes) -> str:
        """Return the signature of a message for one purpose, 64 hexadecimal characters."""
        return hmac.digest(self._for(purpose)[0], message, "sha256").hex()

    def verify(self, purpose: str, message: bytes, signature: str) -> bool:
        """Say whether any listed key made this signature; the time taken tells nothing."""
        given = _ascii(signature)
        matches = [
            hmac.compare_digest(hmac.digest(key, message, "sha256").hex().encode(), given)
            for key in self._for(purpose)
        ]
        return any(matches)

    def _for(self, purpose: str) -> tuple[bytes, ...]:
        derived = self._derived.get(purpose)
        if derived is None:
            derived = tuple(hmac.digest(key, purpose.encode(), "sha256") for key in self._keys)
            self._derived[purpose] = derived
        return derived


@dataclass(frozen=True, slots=True)
class Link:
    """What a signed link says: who may use it, for what, about whom and until when."""

    audience: str
    purpose: str
    subject: str
    expires_at: datetime
    claims: Mapping[str, Any]


class _Said(BaseModel):
    """The shape of a link's body; the last second of `exp` is that of the year 9999."""

    model_config = ConfigDict(strict=True)

    aud: str
    pur: str
    sub: str
    exp: int = Field(ge=0, le=253_402_300_799)
    claims: dict[str, Any] = {}


def write_link(signer: Signer, link: Link) -> str:
    """Return the link as one token that is safe in a URL.

    Raises ValueError for one that `read_link` would find too long.
    """
    body = orjson.dumps(
        {
            "aud": link.audience,
            "pur": link.purpose,
            "sub": link.subject,
            "exp": int(link.expires_at.timestamp()),
            **({"claims": dict(link.claims)} if link.claims else {}),
        },
        option=orjson.OPT_SORT_KEYS,
    )
    token = f"{_encode(body)}.{signer.sign('link', body)}"
    if len(token) > LINK_LENGTH_MAX:
        raise ValueError(f"the link would be longer than {LINK_LENGTH_MAX} characters")
    return token


def read_link(signer: Signer, token: str, *, audience: str, purpose: str, at: datetime) -> Link:
    """Check a token and return what it says.

    Raises Forbidden where it is forged, made for somebody else, or expired.
    """
    said = _signed_body(signer, token) if len(token) <= LINK_LENGTH_MAX else None
    if said is None:
        raise Forbidden(Text("The link is damaged or forged", "Ссылка повреждена или подделана"))
    if (said.aud, said.pur) != (audience, purpose):
        raise Forbidden(Text("The link is for another place", "Ссылка предназначена не для этого"))
    expires_at = datetime.fromtimestamp(said.exp, UTC)
    if at >= expires_at:
        raise Forbidden(
            Text(
                "The link has expired: go back and start again",
                "Срок ссылки истёк: вернитесь и начните заново",
            )
        )
    return Link(audience, purpose, said.sub, expires_at, said.claims)


def _signed_body(signer: Signer, token: str) -> _Said | None:
    encoded, _, signature = token.partition(".")
    body = _decode(encoded)
    if body is None or not signer.verify("link", body, signature):
        return None
    try:
        return _Said.model_validate_json(body)
    except ValidationError:
        return None


class Vault:
    """Encrypts fields with the newest key and reads those of every listed one."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("at least one encryption key is needed")
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._newest = Fernet(keys[0])
        self._prints = tuple(hmac.digest(key.encode(), b"fingerprint", "sha256") for key in keys)
        self.key_id = hashlib.blake2b(keys[0].encode(), digest_size=8).hexdigest()
        """Names the newest key and betrays nothing of it; kept beside what it has encrypted."""

    def encrypt(self, text: str) -> str:
        """Return the text encrypted and authenticated."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Return the text; raises ValueError where no listed key fits or it was changed."""
        try:
            return self._fernet.decrypt(_ascii(token)).decode()
        except InvalidToken:
            raise ValueError("no listed key reads this field") from None

    def seal(self, body: bytes) -> bytes:
        """Return a JSON body as it is stored where it holds tokens, telephones or addresses."""
        return self.encrypt(body.decode()).encode()

    def unsealed(self, stored: bytes) -> bytes:
        """Return the very bytes of a stored body, sealed or not; raises ValueError as `decrypt`."""
        # JSON begins with a brace, which nothing sealed does.
        return stored if stored[:1] == b"{" else self.decrypt(stored.decode()).encode()

    def fingerprints(self, text: str) -> tuple[str, ...]:
        """Return what a text may be found by, one for each key, that of the newest one first.

        The same text gives the same ones; without the key nobody can try texts against them.
        """
        return tuple(hmac.digest(key, text.encode(), "sha256").hex() for key in self._prints)

    def current(self, token: str) -> bool:
        """Say whether the newest key has encrypted this."""
        try:
            self._newest.decrypt(_ascii(token))
        except InvalidToken:
            return False
        return True

    def rotate(self, token: str) -> str:
        """Return the same text encrypted with the newest key; raises ValueError as above."""
        try:
            return self._fernet.rotate(_ascii(token)).decode()
        except InvalidToken:
            raise ValueError("no listed key reads this field") from None


def new_encryption_key() -> str:
    """Make a key for `Vault`."""
    return Fernet.generate_key().decode()


def token_hash(token: str) -> str:
    """Return how a bearer token or session is kept: SHA-256, hexadecimal.

    A header may hold bytes that are no text; they come as lone surrogates and are only unknown.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "replace")


def _encode(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    """Return the bytes; None for what `_encode` would not have written so."""
    try:
        body = base64.urlsafe_b64decode(text + "==")  # more padding than needed does no harm
    except ValueError:
        return None
    return body if _encode(body) == text else None
