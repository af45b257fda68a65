"""A third bank, as `CONTRIBUTING.md` says how one is added: its words, its talk, its settings."""
