"""The signature of Raiffeisen's callbacks. Source: the bank's API description, "Callback".

It covers five fields of a payment: amount, merchant, order, status and date. The transaction and
the code are not covered, so whoever needs them asks the bank. The amount is signed as the text it
had in the bank's own JSON, or as that number without trailing zeros: both are tried.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway_sbp.exact import canonical

HEADER: Final = "X-Api-Signature-SHA256"


class Signed(NamedTuple):
    """What the signature covers, in its order, each as the text it came as."""

    amount: str
    merchant: str
    order: str
    status: str
    moment: str


def sign(key: str, signed: Signed) -> str:
    """Return the signature of these five, 64 hexadecimal digits in lower case."""
    # Half a character, which JSON can say, is signed by nobody; it must not be an error either.
    said = "|".join(signed).encode("utf-8", "surrogatepass")
    return hmac.new(key.encode(), said, hashlib.sha256).hexdigest()


def genuine(key: str, signed: Signed, said: str) -> bool:
    """Say whether a signature is the bank's, comparing in constant time."""
    given = said.strip().lower().encode("utf-8", "replace")
    found = [hmac.compare_digest(sign(key, each).encode(), given) for each in _texts(signed)]
    return any(found)


def _texts(signed: Signed) -> Iterator[Signed]:
    yield signed
    try:
        plain = canonical(signed.amount)
    except ValueError:
        return
    if plain != signed.amount:
        yield signed._replace(amount=plain)
