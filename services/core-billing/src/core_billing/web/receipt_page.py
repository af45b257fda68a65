"""The receipt as a page to be printed: one style, no script, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from core_billing.desk_receipt import Printed

_STYLE: Final = (
    "@page{size:A5;margin:12mm}"
    "body{font:14px/1.5 'DejaVu Sans',Arial,sans-serif;color:#000;background:#fff;margin:0}"
    "main{max-width:124mm;margin:0 auto;padding:8mm 4mm}"
    "h1{font-size:20px;margin:0 0 8px}"
    "dl{display:grid;grid-template-columns:minmax(8em,2fr) 4fr;gap:4px 12px;margin:0}"
    "dt{color:#555}dd{margin:0;overflow-wrap:anywhere}"
    ".mark{border:2px solid #000;padding:4px;text-align:center;font-weight:bold}"
    ".signature{margin-top:32px}"
)
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def page(receipt: Printed) -> str:
    """Return the receipt as HTML."""
    return _template().render(receipt=receipt, style=Markup(_STYLE))  # noqa: S704 - our own words


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(__package__ or ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    return environment.get_template("receipt.html")
