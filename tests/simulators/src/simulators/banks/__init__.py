"""What the simulated banks of SBP share: codes, callbacks, faults, control, and the payer's app."""
