"""Transfers between contracts and debt write-offs: addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from core_billing import transfers, write_offs
from core_billing.amounts import TypedMoney
from core_billing.policy_values import CategoryId
from core_billing.registration import Line, Number
from core_billing.revisions import By
from core_billing.web.acting import Act, CheckView, Do, Done, perform, rehearse
from core_billing.web.base import CONTRACT_UNKNOWN, api, existing
from core_billing.web.corrections_views import REASON_MAX, BalanceView
from shared.db import Tx
from shared.money import RUB, Money, WireMoney

_WRITE_OFF_REFUSALS: Final = (CONTRACT_UNKNOWN, *write_offs.REFUSALS)


class Transfer(BaseModel):
    """A transfer of any sum; without `category`, that of the setting `transfer_category`."""

    model_config = ConfigDict(extra="forbid")

    sender: Number = Field(alias="from")
    receiver: Number = Field(alias="to")
    amount: TypedMoney
    category: CategoryId | None = None
    comment: Annotated[Line, Field(max_length=REASON_MAX)] = ""


class TransferView(BaseModel):
    """A transfer as it stands; its `id` is that of a payment, for its annulment."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    id: str
    amount: WireMoney
    currency: str = RUB
    category: int
    comment: str
    sender: BalanceView = Field(alias="from")
    receiver: BalanceView = Field(alias="to")
    manager: str
    at: datetime


class WriteOff(BaseModel):
    """A write-off of the whole debt, or of `amount`."""

    model_config = ConfigDict(extra="forbid")

    amount: TypedMoney | None = None
    category: CategoryId = 0
    reason: Annotated[Line, Field(max_length=REASON_MAX)] = ""
    """1 to 250 characters."""


class WriteOffView(BaseModel):
    """A write-off as it stands; its `id` is that of a payment, for its annulment."""

    id: str
    amount: WireMoney
    currency: str = RUB
    category: int
    reason: str
    contract: BalanceView
    manager: str
    at: datetime


@api.post(
    "/transfers",
    body=Transfer,
    answers={201: TransferView},
    scope="payments:create",
    summary="Move a sum from one contract to another",
    keyed=True,
    refusals=transfers.REFUSALS,
)
async def make_transfer(request: web.Request, asked: Transfer) -> web.Response:
    """Move money between two contracts."""
    said = asked.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return await perform(request, "transfer.create", asked, _transferring(asked), said)


@api.post(
    "/transfers/check",
    body=Transfer,
    answers={200: CheckView[TransferView]},
    scope="payments:create",
    summary="What a transfer would do, or which rule forbids it",
    refusals=transfers.REFUSALS,
)
async def check_transfer(request: web.Request, asked: Transfer) -> web.Response:
    """Answer what the transfer would do; nothing is written."""
    return await rehearse(request, _transferring(asked))


@api.post(
    "/contracts/{number}/write-offs",
    body=WriteOff,
    answers={201: WriteOffView},
    scope="payments:annul",
    summary="Write off what a contract owes",
    keyed=True,
    refusals=_WRITE_OFF_REFUSALS,
)
async def write_debt_off(request: web.Request, asked: WriteOff) -> web.Response:
    """Give up a debt, in whole or in part."""
    return await perform(request, "debt.write_off", asked, _writing_off(request, asked))


@api.post(
    "/contracts/{number}/write-offs/check",
    body=WriteOff,
    answers={200: CheckView[WriteOffView]},
    scope="payments:annul",
    summary="What a write-off would do, or which rule forbids it",
    refusals=_WRITE_OFF_REFUSALS,
)
async def check_write_off(request: web.Request, asked: WriteOff) -> web.Response:
    """Answer what the write-off would do; nothing is written."""
    return await rehearse(request, _writing_off(request, asked))


def _transferring(asked: Transfer) -> Do:
    wanted = transfers.Wanted(
        asked.sender, asked.receiver, asked.amount.kopecks, asked.category, asked.comment
    )

    async def do(tx: Tx, act: Act) -> Done:
        by = By(act.actor, act.at, act.correlation_id)
        made = await transfers.transfer(tx, act.core.rules, wanted, by)
        view = TransferView(
            id=str(made.payment_id),
            amount=asked.amount,
            category=made.category,
            comment=asked.comment,
            sender=BalanceView(contract=asked.sender, balance=Money(made.sender_kopecks)),
            receiver=BalanceView(contract=asked.receiver, balance=Money(made.receiver_kopecks)),
            manager=act.actor,
            at=act.at,
        )
        return Done(view, f"payment:{made.payment_id}")

    return do


def _writing_off(request: web.Request, asked: WriteOff) -> Do:
    number = request.match_info["number"]
    amount = None if asked.amount is None else asked.amount.kopecks
    wanted = write_offs.Wanted(amount, asked.category, asked.reason)

    async def do(tx: Tx, act: Act) -> Done:
        by = By(act.actor, act.at, act.correlation_id)
        contract = await existing(tx, number)
        made = await write_offs.write_off(tx, act.core.rules, contract.number, wanted, by)
        view = WriteOffView(
            id=str(made.payment_id),
            amount=Money(made.amount_kopecks),
            category=asked.category,
            reason=asked.reason,
            contract=BalanceView(contract=number, balance=Money(made.balance_kopecks)),
            manager=act.actor,
            at=act.at,
        )
        return Done(view, f"contract:{number}")

    return do
