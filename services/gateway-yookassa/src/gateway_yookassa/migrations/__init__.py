"""The tables of this gateway; all of them are the shared gateway's."""

from typing import Final

from shared.gateway.migrations import VERSIONS as SHARED
from shared.gateway.work import SCHEMAS

__all__ = ["SCHEMAS", "VERSIONS"]

VERSIONS: Final = (SHARED,)
