"""The areas of the API: importing this registers the addresses of all of them."""

from typing import Final

from core_billing.web import (
    audit_api,
    blocks_api,
    categories_api,
    contracts_acts_api,
    corrections_api,
    fees_api,
    forecast_api,
    messages_api,
    payments_api,
    policies_api,
    promises_api,
    refunds_api,
    search_api,
    statement_api,
    terms_api,
    transfers_api,
)

ALL: Final = (
    *(
        audit_api,
        blocks_api,
        categories_api,
        contracts_acts_api,
        corrections_api,
        fees_api,
        forecast_api,
    ),
    *(
        messages_api,
        payments_api,
        policies_api,
        promises_api,
        refunds_api,
        search_api,
        statement_api,
        terms_api,
        transfers_api,
    ),
)
