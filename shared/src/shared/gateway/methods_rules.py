"""What becomes of a saved method: pure, so that every rule can be tried alone.

- States never go back. What the payer has removed stays removed, whatever a provider says later,
  and so does what a provider has made unusable: saving it again makes a method of its own.
- Only a method that has been active was ever said, and only such a one is revoked aloud.
- Each thing that is said raises the revision, so that a listener keeps the newest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from shared.events_gateway import PaymentMethodRevoked, PaymentMethodSaved
from shared.gateway.consent import Consent
from shared.gateway.method import MethodStatus, ProviderMethod


@dataclass(frozen=True, slots=True)
class Method:
    """A saved card or account as we know it."""

    id: UUID
    shop: str
    contract: str
    status: MethodStatus
    consent: Consent
    correlation_id: str
    created_at: datetime
    revision: int = 0
    """How often something was said of it."""
    kind: str = ""
    title: str = ""
    expires: str | None = None
    reason: str = ""
    """Why it is not charged any more."""
    removed_at: datetime | None = None
    confirmation_url: str | None = None
    """Sealed, because it may name the provider's token."""


Said = PaymentMethodSaved | PaymentMethodRevoked


@dataclass(frozen=True, slots=True)
class Change:
    """What a method becomes, and what is said of it."""

    method: Method
    event: Said | None = None


def told(method: Method, truth: ProviderMethod, at: datetime) -> Change:
    """Return what the provider's word changes; the same word twice says nothing twice."""
    if method.status.final:
        return Change(method)
    if truth.status is MethodStatus.INACTIVE:
        return ended(method, "refused", at)
    if truth.status is MethodStatus.ACTIVE:
        return _active(method, truth, at)
    if method.status is MethodStatus.ACTIVE:
        return Change(method)
    url = method.confirmation_url or truth.confirmation_url
    return Change(replace(method, status=MethodStatus.PENDING, confirmation_url=url))


def ended(method: Method, reason: str, at: datetime) -> Change:
    """Return a method that its provider will not charge any more."""
    if method.status.final:
        return Change(method)
    done = replace(method, status=MethodStatus.INACTIVE, reason=reason, confirmation_url=None)
    return _revoked(done, at)


def removed(method: Method, reason: str, at: datetime) -> Change:
    """Return a method that the payer has taken back, for good."""
    if method.status is MethodStatus.REMOVED:
        return Change(method)
    done = replace(
        method,
        status=MethodStatus.REMOVED,
        reason=reason,
        removed_at=at,
        confirmation_url=None,
    )
    return _revoked(done, at)


def state(method: Method, at: datetime) -> Said | None:
    """Return how a method stands, as it is said; None for one of which nothing was ever said."""
    if method.revision == 0:
        return None
    if method.status.final:
        return PaymentMethodRevoked(
            contract=method.contract,
            occurred_at=at,
            revision=method.revision,
            provider=method.shop,
            method_ref=str(method.id),
            title=method.title,
            reason=method.reason,
        )
    return PaymentMethodSaved(
        contract=method.contract,
        occurred_at=at,
        revision=method.revision,
        provider=method.shop,
        method_ref=str(method.id),
        kind=method.kind,
        title=method.title,
        expires=method.expires,
    )


def _active(method: Method, truth: ProviderMethod, at: datetime) -> Change:
    done = replace(
        method,
        status=MethodStatus.ACTIVE,
        kind=truth.kind or method.kind,
        title=truth.title or method.title,
        expires=truth.expires or method.expires,
        confirmation_url=None,
    )
    if done == method:
        return Change(method)
    done = replace(done, revision=method.revision + 1)
    return Change(done, state(done, at))


def _revoked(method: Method, at: datetime) -> Change:
    if method.revision == 0:
        return Change(method)
    done = replace(method, revision=method.revision + 1)
    return Change(done, state(done, at))
