"""The simulated Raiffeisen: its API of SBP, orders, subscriptions and receipts, and its payers."""
