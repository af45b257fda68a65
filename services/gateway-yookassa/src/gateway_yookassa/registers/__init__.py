"""YooKassa's daily registers: files in, rows out, or one sentence on what is wrong with them."""

from gateway_yookassa.registers.reading import Expected, read

__all__ = ["Expected", "read"]
