"""T-Bank, the second acquirer: `wire` translates, `api` talks."""
