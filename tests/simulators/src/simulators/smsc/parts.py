"""How many SMS a text takes.

SMSC.ru: 160 Latin characters or 70 others in one SMS; in a longer message each part loses a few to
its header: 153 and 67. A message is at most 1000 characters.
"""

from __future__ import annotations

LONGEST = 1_000
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_DOUBLE = frozenset("^{}\\[~]|€")
"""Characters that take two places of the GSM alphabet."""


def count(text: str) -> int:
    """Return the number of SMS that the text is paid for as."""
    if all(each in GSM or each in GSM_DOUBLE for each in text):
        length, single, part = len(text) + sum(each in GSM_DOUBLE for each in text), 160, 153
    else:
        length, single, part = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if length <= single else -(-length // part)
