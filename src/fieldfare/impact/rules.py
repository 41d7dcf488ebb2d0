"""What a mass of CO₂e is like in everyday terms, what a rank says, what the public may see.

Factors, each in tonnes of CO₂e:

- a tree: 0.060 t taken up by an urban tree seedling in its first ten years, so 0.0060 t a year
  (US EPA, Greenhouse Gas Equivalencies Calculator, "urban tree seedlings grown for 10 years");
- a mile: 3.93e-4 t by an average gasoline-powered passenger vehicle (the same, "miles driven by the
  average gasoline-powered passenger vehicle": 8.89e-3 t a gallon ÷ 22.8 miles a gallon ÷ 0.993);
- a flight: 5,555 km from London to New York, one way, at 0.20011 kg a passenger-kilometre (UK DESNZ
  and DEFRA, greenhouse gas conversion factors 2023, long-haul, economy, with radiative forcing).
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from fieldfare.accounts.model import Profile
from fieldfare.catalog.model import Catalogue
from fieldfare.impact.model import FeedEntry, Place
from fieldfare.kernel.mass import plain, tonnes_from_mg
from fieldfare.orders.model import RecentPurchase

TONNES_PER_TREE_YEAR = Decimal("0.0060")
TONNES_PER_MILE = Decimal("0.000393")
TONNES_PER_FLIGHT = Decimal(5555) * Decimal("0.20011") / 1000
ANONYMOUS = "Anonymous"
CUSTOM_PORTFOLIO = "Custom portfolio"
FEED_PERIOD = timedelta(hours=1)
_HUNDREDTH = Decimal("0.01")
_FEED_ID_BYTES = 16


def trees_per_year(mass_mg: int) -> Decimal:
    """Urban trees that take up this mass in a year, two decimals."""
    return _ratio(mass_mg, TONNES_PER_TREE_YEAR)


def miles_driven(mass_mg: int) -> Decimal:
    """Miles that an average car drives for this mass, two decimals."""
    return _ratio(mass_mg, TONNES_PER_MILE)


def flights_taken(mass_mg: int) -> Decimal:
    """Economy seats from London to New York for this mass, two decimals."""
    return _ratio(mass_mg, TONNES_PER_FLIGHT)


def place_of(rank: int, accounts: int) -> Place:
    """The place of the account at `rank` among `accounts` that have any mass.

    The two may come from readings a minute apart, so there are never fewer accounts than the rank.
    """
    among = max(accounts, rank)
    percentile = Decimal(100 * (among - rank + 1)) / Decimal(among)
    return Place(rank, plain(percentile.quantize(_HUNDREDTH, ROUND_HALF_UP)))


def _ratio(mass_mg: int, tonnes_each: Decimal) -> Decimal:
    return plain((tonnes_from_mg(mass_mg) / tonnes_each).quantize(_HUNDREDTH, ROUND_HALF_UP))


def feed_entry(
    purchase: RecentPurchase, profile: Profile | None, catalogue: Catalogue
) -> FeedEntry:
    """An order as everybody sees it; `profile` is None unless its account chose to be public.

    A portfolio of one account's own would tell whose order it is, so only a public one names it.
    """
    portfolio = catalogue.portfolios.get(purchase.portfolio_id)
    if portfolio is not None and portfolio.account_id is not None and profile is None:
        portfolio = None
    return FeedEntry(
        id=feed_id(purchase),
        group_id=purchase.group_id,
        name=profile.name if profile else ANONYMOUS,
        image_url=web_address(profile.image_url) if profile else None,
        profile_url=web_address(profile.profile_url) if profile else None,
        portfolio_id=portfolio.id if portfolio else None,
        portfolio_name=portfolio.name if portfolio else CUSTOM_PORTFOLIO,
        mass_mg=purchase.mass_mg,
        created_at=purchase.created_at,
    )


def feed_id(purchase: RecentPurchase) -> str:
    """An id for the public: the same in every build, and no way leads from it to the order's ids.

    The key is the 122 random bits of the certificate's address, so that who knows a group id, and
    not that address, cannot tell which row it is.
    """
    digest = hmac.digest(purchase.certificate_slug.bytes, purchase.id.bytes, hashlib.sha256)
    return digest[:_FEED_ID_BYTES].hex()


def web_address(url: str | None) -> str | None:
    """An address that a browser may be sent to, or None: `javascript:` is an address too."""
    return url if url and url.lower().startswith(("https://", "http://")) else None


def etag_of(body: bytes) -> str:
    """The entity tag of a body, with its quotes: equal for equal bodies (RFC 9110, 8.8.3)."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def has_already(etag: str, if_none_match: str | None) -> bool:
    """Whether a client that sent `If-None-Match` has this body (RFC 9110, 13.1.2: weakly)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]


def seconds_left(built_at: datetime, now: datetime) -> int:
    """Whole seconds for which a feed may be kept: to the end of the hour in which it was built.

    None are left of an earlier hour's: then the next build is late, and may come at any moment.
    """
    hour = built_at.replace(minute=0, second=0, microsecond=0)
    left = hour + FEED_PERIOD - now
    return max(0, min(int(left.total_seconds()), int(FEED_PERIOD.total_seconds())))
