"""The tables of this gateway: the shared gateway's, and those of codes on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway_sbp import papers, sheets, signed
from shared.gateway import work
from shared.gateway.migrations import VERSIONS as SHARED

SCHEMAS: Final = (*work.SCHEMAS, papers.schema, signed.schema, sheets.schema)
VERSIONS: Final = (SHARED, Path(__file__).parent / "versions")
