"""Blocks: which contracts are cut off, and which would be tonight."""
