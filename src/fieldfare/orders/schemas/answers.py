"""What an order is answered: as it was placed, and as it is found again."""

from typing import Any, Literal, assert_never

import msgspec

from fieldfare.catalog.service import image_address
from fieldfare.http.encoding import encode_json
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.currency import minor_to_major
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.money import (
    cents_from_micro,
    dollars_from_cents,
    dollars_from_micro,
    fraction_from_ppm,
)
from fieldfare.kernel.wire import (
    Address,
    Count,
    CurrencyCode,
    Dollars,
    FractionOfOne,
    GivenId,
    Instant,
    IntegerId,
    Measure,
    MinorAmount,
    SplitCents,
    Tonnes,
    Uuid,
)
from fieldfare.orders.model import (
    OrderKind,
    OrderRefund,
    PaymentMethod,
    Purchase,
    PurchaseState,
    Quote,
    RefundState,
    Share,
)
from fieldfare.orders.service.desk import OrderNames
from fieldfare.payments.model import Exchange


class OrderedProject(msgspec.Struct, rename="camel"):
    """A project's part of an order."""

    id: IntegerId
    name: str
    cost_per_ton: Dollars | None
    """US dollars; null for a project that takes donations."""
    percentage: FractionOfOne
    """Its share of the money, as a fraction of one."""
    tons: Tonnes
    amount_in_usd_cents: SplitCents


class OrderedPortfolio(msgspec.Struct, rename="camel"):
    """The portfolio of an order and how the order is split over it."""

    id: IntegerId
    name: str
    description: str
    cost_per_ton: Dollars
    image_url: Address | None
    projects: list[OrderedProject]


class OrderHead(msgspec.Struct, rename="camel", kw_only=True):
    """How the answer to an order of any kind begins."""

    id: GivenId | None
    """The order group id; null for a dry run."""
    dry_run: bool
    amount_charged: MinorAmount
    """In the currency's smallest unit."""
    currency: CurrencyCode
    amount_in_usd_cents: MinorAmount


# The fields go out as they stand, so each kind ends with the same six: what a kind has of its own
# stands before them.


class OffsetOrderBody(OrderHead, rename="camel", kw_only=True):
    """What `POST /api/offset-orders` answers; fields that do not apply are left out."""

    tons: Tonnes
    portfolio: OrderedPortfolio
    payment_method: Literal["credits"] | msgspec.UnsetType = msgspec.UNSET
    credits_remaining: MinorAmount | msgspec.UnsetType = msgspec.UNSET
    """US cents."""
    purchase_id: GivenId | msgspec.UnsetType = msgspec.UNSET
    certificate_url: Address | msgspec.UnsetType = msgspec.UNSET
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class TreeImpact(msgspec.Struct):
    """What a tree order does."""

    trees: Count


class TreeOrderBody(OrderHead, rename="camel", kw_only=True):
    """What `POST /api/tree-orders` answers; fields that do not apply are left out."""

    impact: TreeImpact
    provider: str
    """Who plants them."""
    payment_method: Literal["credits"] | msgspec.UnsetType = msgspec.UNSET
    credits_remaining: MinorAmount | msgspec.UnsetType = msgspec.UNSET
    """US cents."""
    purchase_id: GivenId | msgspec.UnsetType = msgspec.UNSET
    certificate_url: Address | msgspec.UnsetType = msgspec.UNSET
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class ProjectImpact(msgspec.Struct):
    """What an order for a project that is priced per ton does."""

    tons: Tonnes


class NamedProject(msgspec.Struct):
    """The project that an amount was given to."""

    id: IntegerId
    name: str


class ProjectOrderBody(OrderHead, rename="camel", kw_only=True):
    """What `POST /api/project-orders` answers; fields that do not apply are left out."""

    impact: ProjectImpact | msgspec.UnsetType = msgspec.UNSET
    """Left out of a donation."""
    project: NamedProject
    payment_method: Literal["credits"] | msgspec.UnsetType = msgspec.UNSET
    credits_remaining: MinorAmount | msgspec.UnsetType = msgspec.UNSET
    """US cents."""
    purchase_id: GivenId | msgspec.UnsetType = msgspec.UNSET
    certificate_url: Address | msgspec.UnsetType = msgspec.UNSET
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class TreePreviewBody(msgspec.Struct, kw_only=True):
    """What `POST /api/tree-orders/preview` answers; prices are in whole units."""

    amount_of_trees: Count = msgspec.field(name="amountOfTrees")
    price_in_usd: Dollars = msgspec.field(name="priceInUSD")
    price_in_user_currency: Measure = msgspec.field(name="priceInUserCurrency")
    currency: CurrencyCode
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class RefundBody(msgspec.Struct, rename="camel"):
    """What of an order went back, or is on its way."""

    id: Uuid
    state: RefundState
    amount: MinorAmount
    """Of the charge, in the currency's smallest unit."""
    currency: CurrencyCode
    tons: Tonnes
    """What the order gave up with it; this and the trees are 0 until it took effect."""
    trees: Count
    created_at: Instant


class PurchaseBody(msgspec.Struct, rename="camel"):
    """What `GET /api/orders/{purchaseId}` answers, for an order of any kind."""

    purchase_id: GivenId
    order_group_id: GivenId
    kind: OrderKind
    state: PurchaseState
    payment_method: PaymentMethod
    amount_charged: MinorAmount
    currency: CurrencyCode
    amount_in_usd_cents: MinorAmount
    tons: Tonnes
    trees: Count
    portfolio_id: IntegerId | None
    project_id: IntegerId | None
    created_at: Instant
    paid_at: Instant | None
    refunded_at: Instant | None
    certificate_url: Address | None
    amount_refunded: MinorAmount
    """In the currency's smallest unit."""
    refunds: list[RefundBody]
    test: Literal[True] | msgspec.UnsetType = msgspec.UNSET


def order_answer(
    quote: Quote, names: OrderNames, *, public_url: str, credits_remaining: int, test: bool
) -> bytes:
    """The encoded answer to an order of any kind, or to its dry run."""
    on_credit = quote.payment_method == "credits"
    unset = msgspec.UNSET
    common: dict[str, Any] = {
        "id": names.group_id,
        "dry_run": names.group_id is None,
        "amount_charged": quote.charge_minor,
        "currency": quote.exchange.currency.code,
        "amount_in_usd_cents": quote.amount_cents,
        "payment_method": "credits" if on_credit else unset,
        "credits_remaining": credits_remaining if on_credit else unset,
        "purchase_id": names.purchase_id or unset,
        "certificate_url": names.certificate_url or unset,
        "test": True if test else unset,
    }
    return encode_json(_body(quote, common, public_url))


def _body(quote: Quote, common: dict[str, Any], public_url: str) -> OrderHead:
    match quote.kind:
        case "offset":
            tons = tonnes_from_mg(quote.mass_mg)
            portfolio = _ordered_portfolio(quote, public_url)
            return OffsetOrderBody(tons=tons, portfolio=portfolio, **common)
        case "tree":
            provider = quote.only_share.project.provider
            return TreeOrderBody(impact=TreeImpact(quote.trees), provider=provider, **common)
        case "project":
            return _project_body(quote.only_share, common)
        case _:
            assert_never(quote.kind)


def _ordered_portfolio(quote: Quote, public_url: str) -> OrderedPortfolio:
    assert quote.portfolio is not None, "an offset order is of a portfolio"
    return OrderedPortfolio(
        id=quote.portfolio.id,
        name=quote.portfolio.name,
        description=quote.portfolio.description,
        cost_per_ton=dollars_from_cents(quote.portfolio.cost_per_ton_cents),
        image_url=image_address(public_url, quote.portfolio.image_url),
        projects=[_ordered_project(share) for share in quote.shares],
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


def _project_body(share: Share, common: dict[str, Any]) -> ProjectOrderBody:
    project = NamedProject(id=share.project.id, name=share.project.name)
    if share.kind == "donation":
        return ProjectOrderBody(project=project, **common)
    impact = ProjectImpact(tonnes_from_mg(share.mass_mg))
    return ProjectOrderBody(impact=impact, project=project, **common)


def tree_preview_body(
    trees: int, *, amount_cents: int, charge_minor: int, exchange: Exchange, test: bool
) -> TreePreviewBody:
    """What so many trees cost, in dollars and in the account's own currency."""
    return TreePreviewBody(
        amount_of_trees=trees,
        price_in_usd=dollars_from_cents(amount_cents),
        price_in_user_currency=minor_to_major(charge_minor, exchange.currency),
        currency=exchange.currency.code,
        test=True if test else msgspec.UNSET,
    )


def purchase_body(
    purchase: Purchase, refunds: list[OrderRefund], names: OrderNames, *, test: bool
) -> PurchaseBody:
    """A recorded order as it is shown; a certificate exists once it is paid."""
    assert names.purchase_id is not None, "what is recorded has an id"
    assert names.group_id is not None, "and belongs to a group"
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
        amount_refunded=purchase.refunded_minor,
        refunds=[_refund_body(refund) for refund in refunds],
        test=True if test else msgspec.UNSET,
    )


def _refund_body(refund: OrderRefund) -> RefundBody:
    return RefundBody(
        id=str(refund.id),
        state=refund.state,
        amount=refund.amount_minor,
        currency=refund.currency,
        tons=tonnes_from_mg(refund.mass_mg),
        trees=refund.trees,
        created_at=rfc3339(refund.created_at),
    )
