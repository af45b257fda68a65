"""The simulated T-Bank."""
