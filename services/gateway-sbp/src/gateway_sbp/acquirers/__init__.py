"""The banks that take SBP payments for a merchant: a folder for each."""
