"""The terms of contracts, write-offs of debts: addresses."""
