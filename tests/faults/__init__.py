"""Kills, restarts and lies under load, and the proof afterwards that no kopeck moved."""
