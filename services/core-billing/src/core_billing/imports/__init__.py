"""Readers of other people's files: pure, they know neither the database nor HTTP."""
