"""Codes to scan, drawn inside a page or as pictures of their own."""

from __future__ import annotations

import io

import segno


def svg(text: str, label: str) -> str:
    """Return the QR code of a text as markup, dark on light whatever the page's colours are.

    `label` says to those who do not see it what it is; it is escaped. The size is left to the
    style sheet.
    """
    drawn = io.BytesIO()
    segno.make_qr(text, error="m").save(
        drawn,
        kind="svg",
        xmldecl=False,
        svgns=False,
        nl=False,
        border=4,
        light="#fff",
        omitsize=True,
        svgclass="code",
        lineclass=None,
        title=label,
    )
    return drawn.getvalue().decode().replace("<svg ", '<svg role="img" ', 1)


def picture(text: str) -> str:
    """Return the QR code of a text as a whole SVG document."""
    drawn = io.BytesIO()
    segno.make_qr(text, error="m").save(drawn, kind="svg", border=4, light="#fff", omitsize=True)
    return drawn.getvalue().decode()


def png(text: str) -> bytes:
    """Return the QR code of a text as a picture of points, large enough to print."""
    drawn = io.BytesIO()
    segno.make_qr(text, error="m").save(drawn, kind="png", border=4, scale=10)
    return drawn.getvalue()
