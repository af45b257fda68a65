"""Tells subscribers what happened to their money, by e-mail and SMS."""
