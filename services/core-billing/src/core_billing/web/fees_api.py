"""Tariffs and the services of contracts: addresses."""
