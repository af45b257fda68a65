"""Stand-ins for YooKassa, an SMS provider and a mail server, for demo and tests.

They share no code with the services: a misreading of a provider's rules must not be able to stand
on both sides of the wire at once.
"""
