"""YooKassa API v3 as its public documentation describes it, with the faults a network adds."""
