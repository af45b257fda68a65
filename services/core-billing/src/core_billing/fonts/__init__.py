"""Fonts that documents are printed with; each beside its licence."""
