"""The Token of T-Bank, which signs requests and notifications alike. Source: the bank's "Token".

It covers every scalar at the root, unknown ones included, as the text it has on the wire, and the
password among them; names are sorted, values alone are joined. Objects, lists and nulls are left
out, and so is the Token itself.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

import orjson

FIELD: Final = "Token"
_PASSWORD: Final = "Password"  # noqa: S105 - the name of a field


def token(said: Mapping[str, Any], password: str) -> str:
    """Return the Token of an object, 64 hexadecimal digits in lower case.

    Numbers that came over the wire are to be read with `gateway_sbp.exact`, which keeps their text.
    Raises TypeError for a number that was a float.
    """
    texts = {name: _text(value) for name, value in said.items() if name != FIELD}
    signed = {name: value for name, value in texts.items() if value is not None}
    signed[_PASSWORD] = password
    joined = "".join(signed[name] for name in sorted(signed))
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


def genuine(said: Mapping[str, Any], password: str) -> bool:
    """Say whether an object's Token is that of this password, comparing in constant time."""
    given = said.get(FIELD)
    text = given if isinstance(given, str) else ""
    expected = token(said, password).encode()
    return hmac.compare_digest(expected, text.strip().lower().encode("utf-8", "replace"))


def sealed(fields: Mapping[str, Any], password: str) -> bytes:
    """Return the body of a request with its Token."""
    return orjson.dumps({**fields, FIELD: token(fields, password)})


def _text(value: Any) -> str | None:
    """Return what of a value is signed; None where it is left out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if value is None or isinstance(value, dict | list | tuple):
        return None
    raise TypeError(f"a {type(value).__name__} has no one text")
