"""Charges saved cards and accounts as subscribers have asked, and stops when they say so."""
