"""What an operator does by hand with any gateway."""
