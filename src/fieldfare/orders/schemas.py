"""Orders on the wire: what a client sends, and what it is answered."""

from decimal import Decimal
from typing import Literal

import msgspec

from fieldfare.catalog.service import image_address
from fieldfare.http.answers import encode_json
from fieldfare.http.body import Fields
from fieldfare.kernel import limits
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.mass import (
    MAX_ORDER_MG,
    MAX_ORDER_TONNES,
    mg_from_tonnes,
    tonnes_from_mg,
)
from fieldfare.kernel.money import (
    cents_from_micro,
    dollars_from_cents,
    dollars_from_micro,
    fraction_from_ppm,
)
from fieldfare.orders.errors import TonsRefused
from fieldfare.orders.model import OffsetRequest, Party, PaymentMethod, Purchase, Quote, Share
from fieldfare.orders.service.desk import OrderNames

PAYMENT_METHODS: tuple[PaymentMethod, ...] = ("stripe", "credits")
MAX_AMOUNT = 10**15


def read_offset_order(fields: Fields) -> OffsetRequest:
    """The body of `POST /api/offset-orders`; raises `InvalidRequest` naming the first bad field."""
    return OffsetRequest(
        mass_mg=_read_mass_mg(fields),
        portfolio_id=_read_id(fields, "portfolioId"),
        payment_method=_read_payment_method(fields),
        dry_run=fields.boolean("dryRun") or False,
        send_receipt=fields.boolean("sendReceiptEmail") or False,
        max_amount_minor=_read_price_cap(fields),
        party=_read_party(fields),
    )


def _read_mass_mg(fields: Fields) -> int:
    tons = fields.number("tons")
    if tons is None:
        raise TonsRefused(
            "tons is required: the tonnes of CO₂e to offset, for instance 0.5.", param="tons"
        )
    if tons <= 0:
        raise TonsRefused("tons must be more than 0, for instance 0.5.", param="tons")
    mass_mg = mg_from_tonnes(tons)
    if not 1 <= mass_mg <= MAX_ORDER_MG:
        raise TonsRefused(
            f"tons must come to at least one milligram (0.000000001) and at most "
            f"{MAX_ORDER_TONNES:,}.",
            param="tons",
        )
    return mass_mg


def _read_id(fields: Fields, name: str) -> int | None:
    value = fields.integer(name)
    # An id beyond the column's range names nothing; 0 names nothing either and fits.
    return value if value is None or 0 < value < 2**31 else 0


def _read_payment_method(fields: Fields) -> PaymentMethod:
    chosen = fields.one_of("paymentMethod", PAYMENT_METHODS)
    return "credits" if chosen == "credits" else "stripe"


def _read_price_cap(fields: Fields) -> int | None:
    cap = fields.integer("maxAmountCharged")
    return None if cap is None else max(-1, min(cap, MAX_AMOUNT))


def _read_party(fields: Fields) -> Party:
    return Party(
        on_behalf_of_name=fields.clean(
            "onBehalfOfName", max_characters=limits.ON_BEHALF_OF_NAME_CHARACTERS
        ),
        on_behalf_of_email=fields.clean(
            "onBehalfOfEmail", max_characters=limits.ON_BEHALF_OF_EMAIL_CHARACTERS
        ),
        note=fields.clean("note", max_characters=limits.NOTE_CHARACTERS, lines=True),
        metadata=fields.metadata("metadata"),
    )


class OrderedProject(msgspec.Struct, rename="camel"):
    """A project's part of an order."""

    id: int
    name: str
    cost_per_ton: Decimal | None
    """US dollars; null for a project that takes donations."""
    percentage: Decimal
    """Its share of the money, as a fraction of one."""
    tons: Decimal
    amount_in_usd_cents: Decimal


class OrderedPortfolio(msgspec.Struct, rename="camel"):
    """The portfolio of an order and how the order is split over it."""

    id: int
    name: str
    description: str
    cost_per_ton: Decimal
    image_url: str | None
    projects: list[OrderedProject]


class OffsetOrderBody(msgspec.Struct, rename="camel"):
    """What `POST /api/offset-orders` answers; fields that do not apply are left out."""

    id: str | None
    dry_run: bool
    amount_charged: int
    """In the currency's smallest unit."""
    currency: str
    amount_in_usd_cents: int
    tons: Decimal
    portfolio: OrderedPortfolio
    payment_method: Literal["credits"] | msgspec.UnsetType = msgspec.UNSET
    credits_remaining: int | msgspec.UnsetType = msgspec.UNSET
    """US cents."""
    purchase_id: str | msgspec.UnsetType = msgspec.UNSET
    certificate_url: str | msgspec.UnsetType = msgspec.UNSET
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class PurchaseBody(msgspec.Struct, rename="camel"):
    """What `GET /api/orders/{purchaseId}` answers, for an order of any kind."""

    purchase_id: str | None
    order_group_id: str | None
    kind: str
    state: str
    payment_method: str
    amount_charged: int
    currency: str
    amount_in_usd_cents: int
    tons: Decimal
    trees: int
    portfolio_id: int | None
    project_id: int | None
    created_at: str
    paid_at: str | None
    refunded_at: str | None
    certificate_url: str | None
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


def offset_order_answer(
    quote: Quote, names: OrderNames, *, public_url: str, credits_remaining: int, test: bool
) -> bytes:
    """The encoded answer to an offset order or its dry run."""
    assert quote.portfolio is not None
    on_credit = quote.payment_method == "credits"
    unset = msgspec.UNSET
    return encode_json(
        OffsetOrderBody(
            id=names.group_id,
            dry_run=names.group_id is None,
            amount_charged=quote.charge_minor,
            currency=quote.exchange.currency.code,
            amount_in_usd_cents=quote.amount_cents,
            tons=tonnes_from_mg(quote.mass_mg),
            portfolio=OrderedPortfolio(
                id=quote.portfolio.id,
                name=quote.portfolio.name,
                description=quote.portfolio.description,
                cost_per_ton=dollars_from_cents(quote.portfolio.cost_per_ton_cents),
                image_url=image_address(public_url, quote.portfolio.image_url),
                projects=[_ordered_project(share) for share in quote.shares],
            ),
            payment_method="credits" if on_credit else unset,
            credits_remaining=credits_remaining if on_credit else unset,
            purchase_id=names.purchase_id or unset,
            certificate_url=names.certificate_url or unset,
            test=True if test else unset,
        )
    )


def _ordered_project(share: Share) -> OrderedProject:
    price = share.project.unit_price_micro
    return OrderedProject(
        id=share.project.id,
        name=share.project.name,
        cost_per_ton=None if price is None else dollars_from_micro(price),
        percentage=fraction_from_ppm(share.weight_ppm),
        tons=tonnes_from_mg(share.mass_mg),
        amount_in_usd_cents=cents_from_micro(share.billed_micro),
    )


def purchase_body(purchase: Purchase, names: OrderNames, *, test: bool) -> PurchaseBody:
    """A recorded order as it is shown; a certificate exists once it is paid."""
    return PurchaseBody(
        purchase_id=names.purchase_id,
        order_group_id=names.group_id,
        kind=purchase.kind,
        state=purchase.state,
        payment_method=purchase.payment_method,
        amount_charged=purchase.charge_minor,
        currency=purchase.currency,
        amount_in_usd_cents=purchase.amount_cents,
        tons=tonnes_from_mg(purchase.mass_mg),
        trees=purchase.trees,
        portfolio_id=purchase.portfolio_id,
        project_id=purchase.project_id,
        created_at=rfc3339(purchase.created_at),
        paid_at=rfc3339(purchase.paid_at) if purchase.paid_at else None,
        refunded_at=rfc3339(purchase.refunded_at) if purchase.refunded_at else None,
        certificate_url=names.certificate_url if purchase.paid_at else None,
        test=True if test else msgspec.UNSET,
    )
