"""Takes payments through YooKassa and says what YooKassa confirmed."""
