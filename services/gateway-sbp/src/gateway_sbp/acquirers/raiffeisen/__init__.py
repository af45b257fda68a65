"""Raiffeisen, the first acquirer: `wire` translates, `api` talks."""
