"""Payments looked for: the list with its filters, one payment, exports."""
