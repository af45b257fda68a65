"""The shops in the environment: one by single names, several as JSON, each for its operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway_yookassa.fiscal import ReceiptSettings
from gateway_yookassa.wire import METHODS
from shared.gateway.settings import Secret
from shared.gateway.terms import Terms
from shared.money import Money
from shared.settings import Commas, HttpUrl, Roubles

_KNOWN: Final = {means.code: means for means in METHODS}


def _names(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(not name or name != name.strip() for name in value):
        raise ValueError("names without outer spaces, such as those of the contracts' operator")
    return value


def _known(value: tuple[str, ...]) -> tuple[str, ...]:
    if not set(value) <= set(_KNOWN) or len(set(value)) < len(value):
        raise ValueError(f"expected some of {', '.join(_KNOWN)}, each once")
    return value


Methods = Annotated[Commas, AfterValidator(_known)]


class ShopSettings(BaseModel):
    """One shop; what is not said is taken from the single names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_key: Secret
    api_url: HttpUrl | None = None
    test_mode: bool | None = None
    operators: Annotated[tuple[str, ...], AfterValidator(_names)] | None = None
    """Whose contracts it takes; none said: all that no other shop names, empty: no new ones."""
    amount_min: Roubles | None = None
    amount_max: Roubles | None = None
    save_methods: bool | None = None
    requests_per_second: Annotated[float, Field(gt=0, le=10_000)] | None = None
    receipts: ReceiptSettings | None = None
    methods: Methods | None = None
    """What our page offers; empty where YooKassa's page asks."""
    sbp_qr: bool | None = None
    capture: bool | None = None

    def or_else(self, defaults: Mapping[str, Any]) -> ShopSettings:
        """Return it with these values where it says nothing itself."""
        said = {name: value for name, value in self if value is not None}
        return ShopSettings.model_validate({**defaults, **said})

    def terms(self) -> Terms:
        """Return what it takes; everything has been said by now."""
        if self.amount_min is None or self.amount_max is None:
            raise ValueError("a shop's bounds come from the single names at last")
        return Terms(
            amount_min=self.amount_min,
            amount_max=self.amount_max,
            operators=None if self.operators is None else frozenset(self.operators),
            receipts=None if self.receipts is None else self.receipts.terms(),
            offered=tuple(_KNOWN[code] for code in self.methods or ()),
            known=METHODS,
            shows_codes=self.sbp_qr is not False,
            capture=self.capture is not False,
            saves=self.save_methods is True,
        )


def mistakes(shops: Mapping[str, ShopSettings]) -> Iterator[str]:
    """Yield what is wrong with shops, each filled up by `ShopSettings.or_else`."""
    owners: dict[str, str] = {}
    for account, said in shops.items():
        for operator in said.operators or ():
            if (other := owners.setdefault(operator, account)) != account:
                yield f"{operator} is an operator of the shops {other} and {account}: name it once"
        if not Money(0) < (said.amount_min or Money(0)) <= (said.amount_max or Money(0)):
            yield (
                f"shop {account}: the smallest amount must be above zero and not above the"
                " greatest; a shop that names none has GATEWAY_YOOKASSA_AMOUNT_MIN"
                " and GATEWAY_YOOKASSA_AMOUNT_MAX"
            )
    rest = [account for account, said in shops.items() if said.operators is None]
    if len(rest) > 1:
        yield (
            f"the shops {', '.join(rest)} name no operators: at most one may take what no other"
            ' names; "operators": [] takes no new payments'
        )
    if shops and all(said.operators == () for said in shops.values()):
        yield "no shop takes new payments: name operators"
