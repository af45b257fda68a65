"""The tables of this gateway: the shared gateway's, those of codes on paper and of a bank."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway_sbp import paper_rows, papers, sheets, signed
from gateway_sbp.acquirers.tbank import refund_rows
from shared.gateway import work
from shared.gateway.migrations import VERSIONS as SHARED

SCHEMAS: Final = (
    *work.SCHEMAS,
    *(papers.schema, signed.schema, sheets.schema, paper_rows.schema),
    refund_rows.schema,
)
VERSIONS: Final = (SHARED, Path(__file__).parent / "versions")
