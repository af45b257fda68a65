"""The numbers to hold: each measured beside its reference, on servers of the run's own."""
