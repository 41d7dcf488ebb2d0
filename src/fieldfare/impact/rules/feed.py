"""What the public may see of an order, and for how long a feed may be kept."""

import hashlib
import hmac
from datetime import datetime, timedelta

from fieldfare.accounts.model import Profile
from fieldfare.catalog.model import Catalogue
from fieldfare.impact.model import FeedEntry
from fieldfare.orders.model import RecentPurchase

ANONYMOUS = "Anonymous"
CUSTOM_PORTFOLIO = "Custom portfolio"
FEED_PERIOD = timedelta(hours=1)
_FEED_ID_BYTES = 16


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


def seconds_left(built_at: datetime, now: datetime) -> int:
    """Whole seconds for which a feed may be kept: to the end of the hour in which it was built.

    None are left of an earlier hour's: then the next build is late, and may come at any moment.
    """
    hour = built_at.replace(minute=0, second=0, microsecond=0)
    left = hour + FEED_PERIOD - now
    return max(0, min(int(left.total_seconds()), int(FEED_PERIOD.total_seconds())))
