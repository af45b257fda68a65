"""Journeys of subscribers through everything at once, embedded and real, by hand and by program."""
