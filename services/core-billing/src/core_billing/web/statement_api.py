"""The statement of a contract: addresses."""
