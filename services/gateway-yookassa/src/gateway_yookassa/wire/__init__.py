"""YooKassa's words and ours: pure translation, API v3 as of 2026."""

from gateway_yookassa.wire.callbacks import callback
from gateway_yookassa.wire.masked import Subject, masked, masked_body, subject
from gateway_yookassa.wire.methods import METHODS
from gateway_yookassa.wire.payments import (
    DESCRIPTION_MAX,
    METADATA_VALUE_MAX,
    capture,
    page,
    payment,
    request,
)
from gateway_yookassa.wire.receipts import issued, receipts, registered, separate
from gateway_yookassa.wire.refunds import EXPLAINED, refund, refund_page, refund_request
from gateway_yookassa.wire.saved import BINDABLE, binding, method
from gateway_yookassa.wire.words import NAME, Unreadable, answer, failure, shop_name

__all__ = [
    "BINDABLE",
    "DESCRIPTION_MAX",
    "EXPLAINED",
    "METADATA_VALUE_MAX",
    "METHODS",
    "NAME",
    "Subject",
    "Unreadable",
    "answer",
    "binding",
    "callback",
    "capture",
    "failure",
    "issued",
    "masked",
    "masked_body",
    "method",
    "page",
    "payment",
    "receipts",
    "refund",
    "refund_page",
    "refund_request",
    "registered",
    "request",
    "separate",
    "shop_name",
    "subject",
]
