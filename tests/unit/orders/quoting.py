"""Quotes for tests: any portfolio, any mass, and the contract's worked example."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import msgspec
from hypothesis import assume, settings
from hypothesis import strategies as st

from fieldfare.catalog.model import (
    MAX_PARTNER_SHARE_PPM,
    MAX_UNIT_PRICE_MICRO,
    MIN_PARTNER_SHARE_PPM,
    MIN_UNIT_PRICE_MICRO,
    Portfolio,
    PortfolioPart,
)
from fieldfare.catalog.rules import cost_per_ton_cents, mass_weights
from fieldfare.kernel.currency import get_currency
from fieldfare.kernel.mass import MAX_ORDER_MG
from fieldfare.kernel.money import PPM
from fieldfare.orders.model import OffsetRequest, Party, PaymentMethod, Quote
from fieldfare.orders.rules import MAX_PRICE_CENTS, price_cents, quote_offset
from fieldfare.payments.model import Exchange
from fieldfare.payments.rules import IN_DOLLARS
from tests.support.catalog_rows import part

bounded = settings(max_examples=100, deadline=None)
unit_prices = st.integers(MIN_UNIT_PRICE_MICRO, MAX_UNIT_PRICE_MICRO)
# Half of them near the ends, where a part can come to nothing and a product is largest.
masses = st.one_of(
    st.integers(1, MAX_ORDER_MG), st.integers(1, 1000), st.integers(MAX_ORDER_MG - 99, MAX_ORDER_MG)
)
RATE_ON = date(2026, 11, 20)
JPY = Exchange(currency=get_currency("JPY"), rate=Decimal("149.37"), rate_on=RATE_ON)
KWD = Exchange(currency=get_currency("KWD"), rate=Decimal("0.3071"), rate_on=RATE_ON)


def portfolio_of(parts: Sequence[PortfolioPart], **fields: str) -> Portfolio:
    """A portfolio for everybody of these parts, priced as the catalogue prices it."""
    in_order = tuple(sorted(parts, key=lambda one: one.project.id))
    return Portfolio(
        id=12,
        name=fields.get("name", "Climate Fund"),
        description=fields.get("description", "A few of them."),
        image_url=None,
        account_id=None,
        is_default=True,
        is_open=True,
        parts=in_order,
        cost_per_ton_cents=cost_per_ton_cents(in_order),
        money_weights=tuple(one.weight_ppm for one in in_order),
        mass_weights=mass_weights(in_order),
    )


def sharing(one: PortfolioPart, partner_share_ppm: int) -> PortfolioPart:
    """The same part with another share for its partner."""
    project = msgspec.structs.replace(one.project, partner_share_ppm=partner_share_ppm)
    return msgspec.structs.replace(one, project=project)


@st.composite
def portfolios(draw: st.DrawFn) -> Portfolio:
    """1 to 12 projects, any weights, prices and partners' shares; one at least per tonne."""
    prices = [draw(unit_prices), *draw(st.lists(st.none() | unit_prices, max_size=11))]
    count = len(prices)
    cuts = draw(
        st.lists(st.integers(1, PPM - 1), min_size=count - 1, max_size=count - 1, unique=True)
    )
    edges = [0, *sorted(cuts), PPM]
    ids = draw(st.lists(st.integers(1, 2000), min_size=count, max_size=count, unique=True))
    shares = st.integers(MIN_PARTNER_SHARE_PPM, MAX_PARTNER_SHARE_PPM)
    return portfolio_of(
        [
            sharing(part(ids[i], edges[i + 1] - edges[i], prices[i]), draw(shares))
            for i in range(count)
        ]
    )


def asked(mass_mg: int, method: PaymentMethod = "credits", cap: int | None = None) -> OffsetRequest:
    """An order of a mass."""
    return OffsetRequest(
        mass_mg=mass_mg,
        portfolio_id=None,
        payment_method=method,
        dry_run=False,
        send_receipt=False,
        max_amount_minor=cap,
        party=Party(),
    )


def quote(
    portfolio: Portfolio,
    mass_mg: int,
    method: PaymentMethod = "credits",
    *,
    exchange: Exchange = IN_DOLLARS,
    cap: int | None = None,
) -> Quote:
    """A quote from revision 7."""
    return quote_offset(asked(mass_mg, method, cap), portfolio, exchange, price_revision=7)


def quote_any(portfolio: Portfolio, mass_mg: int) -> Quote:
    """The same for a property: what is dearer than the books hold is another test's."""
    assume(price_cents(mass_mg, portfolio.cost_per_ton_cents) <= MAX_PRICE_CENTS)
    return quote(portfolio, mass_mg)


WORKED = portfolio_of(
    [
        part(1, 400_000, 1_563_000_000),
        part(2, 250_000, 3_120_000_000),
        part(3, 150_000, 24_286_000_000),
        part(4, 120_000, 1_950_000_000),
        part(5, 80_000, 6_000_000_000),
    ]
)


def fifty_fifty(second_price_micro: int | None = 2_000_000_000) -> Portfolio:
    """Two halves; the first costs $20 a tonne, and so does the second unless it is said."""
    return portfolio_of([part(3, 500_000, 2_000_000_000), part(8, 500_000, second_price_micro)])
