"""The tables of every gateway, and the migrations that make them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

VERSIONS: Final = Path(__file__).parent / "versions"
