"""Payment categories: addresses."""
