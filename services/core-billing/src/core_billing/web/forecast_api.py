"""What a contract is advised to pay, and when it will be blocked: addresses."""
