"""The exchange rates, brought up to date.

What must hold: the table that is shipped comes first, so that a new installation has rates without
any network, and the first figures of a configured address are held against something.
"""

from datetime import datetime
from functools import partial

from fieldfare.db.pool import Database
from fieldfare.integrations.rates import fetch_shipped, fetch_url
from fieldfare.payments.model import Recorded
from fieldfare.payments.service.rates import refresh_rates


async def refresh_rates_once(
    db: Database, url: str | None, *, now: datetime, force: bool = False
) -> Recorded:
    """Take over the newest reference rates, shipped and from `url`; done again, it writes nothing.

    `force` takes over the newest ones however far they are from those before. Raises `RatesNotRead`
    if the address gives none; what was shipped is on record by then.
    """
    shipped = await refresh_rates(db, fetch_shipped, now=now, force=force and url is None)
    if url is None:
        return shipped
    fetched = await refresh_rates(db, partial(fetch_url, url), now=now, force=force)
    return Recorded(
        written=shipped.written + fetched.written, refused=shipped.refused + fetched.refused
    )
