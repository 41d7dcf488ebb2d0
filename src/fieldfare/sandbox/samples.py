"""What test mode shows as history: a small canned list in the live shape.

Two orders of the preset's default portfolio, split by the live rules, under ids that never change,
so that a client's test can rely on them.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from fieldfare.catalog.model import Catalogue, Portfolio
from fieldfare.impact.model import Stats
from fieldfare.impact.rules import place_of
from fieldfare.kernel.ids import floor_id
from fieldfare.kernel.mass import MG_PER_TONNE
from fieldfare.ledger.model import Entry
from fieldfare.orders.model import LineRow, Share
from fieldfare.orders.rules import price_cents, split_offset

ORDERED_AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
TOP_UP_CENTS = 100_000
SAMPLE_MASSES_MG = (450_000_000, 2 * MG_PER_TONNE)
SAMPLE_NAMES = ("Ada Lovelace", None)


def sample_id(instant: datetime, number: int) -> UUID:
    """A version 7 id that is the same on every call."""
    return UUID(int=floor_id(instant).int | (0x7 << 76) | (0x8 << 60) | number)


def sample_lines(portfolio: Portfolio) -> list[LineRow]:
    """The lines of the sample orders, newest first."""
    lines: list[LineRow] = []
    for number, mass_mg in enumerate(SAMPLE_MASSES_MG):
        ordered_at = ORDERED_AT + timedelta(days=number)
        amount_cents = price_cents(mass_mg, portfolio.cost_per_ton_cents)
        shares = split_offset(portfolio, mass_mg=mass_mg, amount_cents=amount_cents)
        lines += [
            _sample_line(share, portfolio.id, ordered_at, number, place)
            for place, share in enumerate(shares, start=1)
            if share.kind == "offset"
        ]
    return sorted(lines, key=lambda line: line.id, reverse=True)


def _sample_line(
    share: Share, portfolio_id: int, ordered_at: datetime, number: int, place: int
) -> LineRow:
    purchase_id = sample_id(ordered_at, 0)
    return LineRow(
        id=sample_id(ordered_at, place),
        purchase_id=purchase_id,
        charge_id=f"test_oo_{purchase_id.hex}",
        created_at=ordered_at,
        mass_mg=share.mass_mg,
        trees=0,
        billed_micro=share.billed_micro,
        currency="USD",
        portfolio_id=portfolio_id,
        project_id=share.project.id,
        certification_status=share.project.certification_status,
        standing=share.project.standing,
        source="public-api",
        payment_method="credits",
        certificate_slug=purchase_id,
        refunded_at=None,
        note="A sample order",
        on_behalf_of_name=SAMPLE_NAMES[number],
        on_behalf_of_email=None,
        metadata={"sample": "true"},
    )


def sample_stats(portfolio: Portfolio) -> Stats:
    """Totals of the sample orders."""
    certified_mg = sum(
        line.mass_mg for line in sample_lines(portfolio) if line.standing != "uncertified"
    )
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
