"""What every Saldo service stands on."""
