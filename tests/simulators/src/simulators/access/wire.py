"""Reading a webhook as the specification tells its receivers to.

standard-webhooks.md, "Verifying signatures": constant time, a tolerance of time, any signature of
the list. Ours alone is what stands in `data`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

TOLERANCE_SECONDS = 5 * 60
BODY_MAX = 20_000
KINDS = {"contract.blocked": True, "contract.unblocked": False}


class Refused(Exception):
    """What no receiver would take; its text says why."""


@dataclass(frozen=True, slots=True)
class Said:
    """The access of one contract."""

    contract: str
    revision: int
    blocked: bool
    reason: str
    available: str


def check(secret: str, headers: Mapping[str, str], body: bytes, now: int) -> None:
    """Raise Refused unless the body was signed with the secret about now (in seconds)."""
    this, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not this or not moment.isdecimal():
        raise Refused("webhook-id or webhook-timestamp is missing")
    if abs(now - int(moment)) > TOLERANCE_SECONDS:
        raise Refused("webhook-timestamp is too far from now")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, b".".join((this.encode(), moment.encode(), body)), hashlib.sha256)
    mine = base64.b64encode(made.digest())
    listed = [each.partition(",") for each in headers.get("webhook-signature", "").split(" ")]
    given = [text.encode() for version, _, text in listed if version == "v1"]
    if not any(hmac.compare_digest(mine, each) for each in given):
        raise Refused("no signature fits")


def read(body: bytes) -> Said:
    """Return what a body says; raises Refused for another one."""
    try:
        said = json.loads(body)
        data = said["data"]
        blocked = KINDS[said["type"]]
        if data["blocked"] is not blocked or data["currency"] != "RUB":
            raise Refused("the body contradicts itself")
        return Said(
            contract=str(data["contract"]),
            revision=int(data["revision"]),
            blocked=blocked,
            reason=str(data["reason"]),
            available=str(data["available"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"no body of ours: {error!r}") from error
