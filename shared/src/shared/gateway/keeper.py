"""What a provider that binds cards and accounts without a payment is to a gateway: pure."""

from __future__ import annotations

from typing import Protocol

from shared.gateway.method import ProviderMethod
from shared.gateway.provider import Failure, Missing


class Keeper(Protocol):
    """One shop at a provider that binds methods without a payment; not every provider does."""

    @property
    def kinds(self) -> frozenset[str]:
        """What can be bound so, in the words of `ProviderMethod.kind`."""

    def binding(self, kind: str, return_url: str) -> bytes:
        """Return the bytes that ask for a binding; they are stored and sent unchanged."""

    async def bind(self, key: str, request: bytes) -> ProviderMethod | Failure:
        """Ask for a binding; the same key and bytes never make a second one within a day."""

    async def kept(self, token: str) -> ProviderMethod | Missing | Failure:
        """Ask how a method stands."""
