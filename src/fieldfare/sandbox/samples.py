"""What test mode shows as history: a small canned list in the live shape.

Two orders of the preset's default portfolio, one of trees and one donation, split by the live
rules, under ids that never change, so that a client's test can rely on them.
"""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from fieldfare.catalog.model import Catalogue, Portfolio
from fieldfare.impact.model import Stats
from fieldfare.impact.rules import place_of
from fieldfare.impact.schemas.showing import TEST_PREFIXES
from fieldfare.kernel.ids import floor_id, instant_of
from fieldfare.kernel.mass import MG_PER_TONNE
from fieldfare.ledger.model import Entry
from fieldfare.orders.model import LineKind, LineRow, PurchaseRow, Share
from fieldfare.orders.rules import price_cents, split_offset, tree_price_cents, whole_share

ORDERED_AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
TOP_UP_CENTS = 100_000
SAMPLE_MASSES_MG = (450_000_000, 2 * MG_PER_TONNE)
SAMPLE_TREES = 25
SAMPLE_DONATION_CENTS = 1_500
SAMPLE_NAMES = ("Ada Lovelace", None, "Ada Lovelace", None)
SAMPLE_METADATA = {"sample": "true"}
TEST_ID = re.compile(r"test_(oo|to|po)_([0-9a-f]{32})", re.ASCII)
"""What an order of test mode is called."""
NOBODYS_ACCOUNT = 0


class SampleOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that nobody placed, paid from credits."""

    number: int
    kind: LineKind
    amount_cents: int
    shares: tuple[Share, ...]
    portfolio_id: int | None = None

    @property
    def ordered_at(self) -> datetime:
        """One on each day."""
        return ORDERED_AT + timedelta(days=self.number)

    @property
    def id(self) -> UUID:
        """The purchase's own id."""
        return sample_id(self.ordered_at, 0)

    @property
    def group_id(self) -> str:
        """What it is called in test mode."""
        return f"{TEST_PREFIXES[self.kind]}{self.id.hex}"


def sample_id(instant: datetime, number: int) -> UUID:
    """A version 7 id that is the same on every call."""
    return UUID(int=floor_id(instant).int | (0x7 << 76) | (0x8 << 60) | number)


def sample_lines(preset: Catalogue, kind: LineKind) -> list[LineRow]:
    """The lines of one kind of the sample orders, newest first."""
    lines = [
        _sample_line(order, share, place)
        for order in sample_orders(preset)
        for place, share in enumerate(order.shares, start=1)
        if share.kind == kind
    ]
    return sorted(lines, key=lambda line: line.id, reverse=True)


def sample_purchases(preset: Catalogue) -> list[PurchaseRow]:
    """The sample orders, newest first."""
    purchases = [_sample_purchase(order) for order in sample_orders(preset)]
    return sorted(purchases, key=lambda purchase: purchase.id, reverse=True)


def sample_orders(preset: Catalogue) -> list[SampleOrder]:
    """One of each kind at least, oldest first."""
    offsets = [
        _offset_order(default_portfolio(preset), number, mass_mg)
        for number, mass_mg in enumerate(SAMPLE_MASSES_MG)
    ]
    return [*offsets, _tree_order(preset, len(offsets)), _donation(preset, len(offsets) + 1)]


def sample_called(name: str, preset: Catalogue) -> SampleOrder:
    """The sample order that lists show by this name, else the first of its kind."""
    samples = [one for one in sample_orders(preset) if one.group_id[:8] == name[:8]]
    return next((one for one in samples if one.group_id == name), samples[0])


def instant_of_sample(identifier: UUID) -> datetime:
    """When an id was drawn; a made-up one may lie beyond the calendar."""
    try:
        return instant_of(identifier)
    except (OverflowError, ValueError):
        return ORDERED_AT


def _offset_order(portfolio: Portfolio, number: int, mass_mg: int) -> SampleOrder:
    amount_cents = price_cents(mass_mg, portfolio.cost_per_ton_cents)
    return SampleOrder(
        number=number,
        kind="offset",
        amount_cents=amount_cents,
        shares=split_offset(portfolio, mass_mg=mass_mg, amount_cents=amount_cents),
        portfolio_id=portfolio.id,
    )


def _tree_order(preset: Catalogue, number: int) -> SampleOrder:
    provider = preset.projects[preset.tree_provider_id or 0]
    amount_cents = tree_price_cents(SAMPLE_TREES, provider.unit_price_micro or 0)
    share = whole_share(provider, mass_mg=0, trees=SAMPLE_TREES, amount_cents=amount_cents)
    return SampleOrder(number=number, kind="tree", amount_cents=amount_cents, shares=(share,))


def _donation(preset: Catalogue, number: int) -> SampleOrder:
    project = next(project for project in preset.projects.values() if project.unit == "none")
    amount_cents = SAMPLE_DONATION_CENTS
    share = whole_share(project, mass_mg=0, trees=0, amount_cents=amount_cents)
    return SampleOrder(number=number, kind="donation", amount_cents=amount_cents, shares=(share,))


def _sample_line(order: SampleOrder, share: Share, place: int) -> LineRow:
    return LineRow(
        id=sample_id(order.ordered_at, place),
        purchase_id=order.id,
        account_id=NOBODYS_ACCOUNT,
        charge_id=order.group_id,
        created_at=order.ordered_at,
        mass_mg=share.mass_mg,
        trees=share.trees,
        billed_micro=share.billed_micro,
        charge_minor=order.amount_cents,
        currency="USD",
        portfolio_id=order.portfolio_id,
        project_id=share.project.id,
        certification_status=share.project.certification_status,
        standing=share.project.standing,
        source="public-api",
        payment_method="credits",
        certificate_slug=order.id,
        refunded_at=None,
        refunded_mg=0,
        refunded_trees=0,
        refunded_micro=0,
        note="A sample order",
        on_behalf_of_name=SAMPLE_NAMES[order.number],
        on_behalf_of_email=None,
        metadata=SAMPLE_METADATA,
    )


def _sample_purchase(order: SampleOrder) -> PurchaseRow:
    kinds = {share.kind for share in order.shares}
    return PurchaseRow(
        id=order.id,
        charge_id=order.group_id,
        state="paid",
        payment_method="credits",
        amount_cents=order.amount_cents,
        charge_minor=order.amount_cents,
        currency="USD",
        certificate_slug=order.id,
        created_at=order.ordered_at,
        refunded_at=None,
        refunded_minor=0,
        certified_mg=sum(s.mass_mg for s in order.shares if s.project.standing == "certified"),
        refunded_certified_mg=0,
        trees=sum(share.trees for share in order.shares),
        refunded_trees=0,
        refunded_micro=0,
        has_offsets="offset" in kinds,
        has_donations="donation" in kinds,
        has_trees="tree" in kinds,
    )


def sample_stats(preset: Catalogue) -> Stats:
    """Totals of the sample orders."""
    lines = sample_lines(preset, "offset")
    certified_mg = sum(line.mass_mg for line in lines if line.standing != "uncertified")
    return Stats(certified_mg=certified_mg, place=place_of(rank=42, accounts=1_000))


def sample_entries() -> list[Entry]:
    """How the balance of test mode came to be: one top-up."""
    return [
        Entry(
            id=sample_id(ORDERED_AT, 0),
            account_id=0,
            number=1,
            kind="top_up",
            amount_cents=TOP_UP_CENTS,
            balance_after_cents=TOP_UP_CENTS,
            group_id=None,
            description="Test credits, new on every request",
            created_at=ORDERED_AT,
        )
    ]


def default_portfolio(catalogue: Catalogue) -> Portfolio:
    """The preset's default portfolio; a preset has one."""
    assert catalogue.default_portfolio_id is not None
    return catalogue.portfolios[catalogue.default_portfolio_id]
