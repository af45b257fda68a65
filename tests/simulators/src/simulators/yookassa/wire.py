"""Objects of the API as JSON. Pure: rows in, dictionaries out.

YooKassa API v3 (OpenAPI 3.0.2 of 2026-07). Optional members are left out, never null.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simulators.clock import iso
from simulators.yookassa.method import Method
from simulators.yookassa.money import amount
from simulators.yookassa.payment import Payment
from simulators.yookassa.receipt import Receipt
from simulators.yookassa.refund import Refund


def payment_object(payment: Payment) -> dict[str, Any]:
    """Return the Payment object."""
    body = {
        "id": payment.id,
        "status": payment.status,
        "amount": amount(payment.amount_kopecks, payment.currency),
        "description": payment.description,
        "recipient": {"account_id": payment.account_id, "gateway_id": payment.gateway_id},
        "payment_method": _method_of(payment),
        "created_at": iso(payment.created_at),
        "captured_at": _moment(payment.captured_at),
        "expires_at": _moment(payment.expires_at),
        # Only while the payer is waited for; the spec says it disappears afterwards.
        "confirmation": payment.confirmation if payment.status == "pending" else None,
        "test": payment.test,
        "paid": payment.paid,
        "refundable": payment.refundable,
        "metadata": payment.metadata,
        "merchant_customer_id": payment.merchant_customer_id,
        "authorization_details": payment.authorization,
        "receipt_registration": payment.receipt_registration,
        "cancellation_details": _reason(payment.cancel_party, payment.cancel_reason),
    }
    if payment.status == "succeeded":
        body["refunded_amount"] = amount(payment.refunded_kopecks, payment.currency)
        body["income_amount"] = amount(payment.income_kopecks or 0, payment.currency)
    return _present(body)


def before_payment(payment: Payment) -> Payment:
    """Return the payment as it was before the payer acted: what a stale replica still shows."""
    return replace(
        payment,
        status="pending",
        paid=False,
        captured_at=None,
        expires_at=None,
        authorization=None,
        cancel_party=None,
        cancel_reason=None,
        receipt_registration=None,
        refunded_kopecks=0,
        method=None,
        method_type=None,
    )


def refund_object(refund: Refund) -> dict[str, Any]:
    """Return the Refund object."""
    return _present(
        {
            "id": refund.id,
            "payment_id": refund.payment_id,
            "status": refund.status,
            "created_at": iso(refund.created_at),
            "amount": amount(refund.amount_kopecks, refund.currency),
            "description": refund.description,
            "receipt_registration": refund.receipt_registration,
            "refund_authorization_details": {"rrn": refund.rrn} if refund.rrn else None,
            "cancellation_details": _reason(refund.cancel_party, refund.cancel_reason),
            "metadata": refund.metadata,
        }
    )


def receipt_object(receipt: Receipt) -> dict[str, Any]:
    """Return the Receipt object; its fiscal numbers exist once it is registered."""
    number = receipt.document_number
    return _present(
        {
            "id": receipt.id,
            "type": receipt.type,
            "payment_id": receipt.payment_id,
            "refund_id": receipt.refund_id,
            "status": receipt.status,
            "fiscal_document_number": number,
            "fiscal_storage_number": "9288000100115785" if number else None,
            "fiscal_attribute": "2617603921" if number else None,
            "registered_at": _moment(receipt.registered_at),
            "fiscal_provider_id": f"fd-{number}" if number else None,
            "tax_system_code": receipt.content.get("tax_system_code"),
            "internet": receipt.content.get("internet", True),
            "items": receipt.content.get("items", []),
            "settlements": receipt.content.get("settlements"),
        }
    )


def method_object(method: Method) -> dict[str, Any]:
    """Return the SavedPaymentMethod object of a binding."""
    return _present(
        {
            "type": method.type,
            "id": method.id,
            "saved": method.saved,
            "status": method.status,
            "holder": {"account_id": method.shop_id, "gateway_id": method.gateway_id},
            "title": method.title,
            "card": method.card,
            "confirmation": method.confirmation if method.status == "pending" else None,
        }
    )


def _method_of(payment: Payment) -> dict[str, Any] | None:
    if payment.method is not None:
        return payment.method
    if payment.method_type is None:
        return None
    return {"type": payment.method_type, "id": payment.id, "saved": False, "status": "inactive"}


def _reason(party: str | None, reason: str | None) -> dict[str, str] | None:
    return {"party": party, "reason": reason} if party and reason else None


def _moment(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)


def _present(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
