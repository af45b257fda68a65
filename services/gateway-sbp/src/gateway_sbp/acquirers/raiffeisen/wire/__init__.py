"""Translates between Raiffeisen's words and a gateway's: pure."""
