"""Changing the catalogue: prices ahead of time, a whole catalogue from a file, a custom portfolio.

Each change waits its turn, writes its rows, keeps itself whole in `catalog.revision`, and tells
every process, all in the caller's transaction.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from fieldfare.accounts.service import get_account
from fieldfare.catalog import rules, store
from fieldfare.catalog.errors import CatalogueRefused, ProjectNotFound
from fieldfare.catalog.model import PortfolioRow, PriceRow, Rows, WeightRow
from fieldfare.catalog.service.reading import TOPIC
from fieldfare.db.changes import raise_revision
from fieldfare.db.pool import Connection


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did."""

    change: Rows
    """The rows written; none if the catalogue was as the file wants it."""
    revision: int | None
    """Of the change, if there was one."""
    refused_prices: tuple[PriceRow, ...]
    """What the file asks for projects that have another price: that is set ahead by `set_price`."""


async def set_price(
    conn: Connection,
    project_id: int,
    unit_price_micro: int,
    effective_at: datetime,
    *,
    made_by: str,
    reason: str,
) -> PriceRow:
    """Let a project's tonne or tree cost `unit_price_micro` from `effective_at` on.

    The instant is held against the database's clock. Raises `ProjectNotFound`, `PriceRefused` or
    `PriceTooSoon` (less than 5 seconds ahead).
    """
    await store.lock_revisions(conn)
    # Only now: waiting for our turn must not eat up the notice.
    now = await store.read_clock(conn)
    rows = await store.list_rows(conn)
    project = next((row for row in rows.projects if row.id == project_id), None)
    if project is None:
        raise ProjectNotFound(
            f"There is no project {project_id}. `fieldfare catalog list` shows them all."
        )
    price = PriceRow(
        project_id=project_id, effective_at=effective_at, unit_price_micro=unit_price_micro
    )
    others = (row for row in rows.prices if row.project_id == project_id)
    rules.check_new_price(price, project, others, now)
    await _save(conn, Rows(prices=(price,)), now, made_by, reason)
    return price


async def import_catalogue(
    conn: Connection, wanted: Rows, *, now: datetime, made_by: str, reason: str = "import"
) -> Imported:
    """Bring the catalogue to what a file wants; done again, it changes nothing.

    What the file does not name stays as it is, and so does the price of a project that has one.
    New weights hold at once, so processes may price a portfolio apart for up to a second. Raises
    `CatalogueRefused`.
    """
    await store.lock_revisions(conn)
    current = await store.list_rows(conn)
    change = rules.change_to(current, wanted, now)
    rules.check_rows(rules.apply_change(current, change))
    revision = await _save(conn, change, now, made_by, reason) if change != Rows() else None
    return Imported(
        change=change,
        revision=revision,
        refused_prices=rules.refused_prices(current, wanted, now),
    )


async def create_custom_portfolio(
    conn: Connection,
    account_id: int,
    *,
    name: str,
    description: str,
    weights_ppm: Mapping[int, int],
    image_url: str | None = None,
    now: datetime,
    made_by: str,
    reason: str = "custom portfolio",
) -> int:
    """A portfolio that only one account sees, of weights by project id; gives its id.

    Raises `AccountNotFound`, `WeightsRefused`, or `CatalogueRefused` for a text out of bounds.
    """
    await get_account(conn, account_id)
    await store.lock_revisions(conn)
    current = await store.list_rows(conn)
    weights = [WeightRow(project_id=p, weight_ppm=w) for p, w in sorted(weights_ppm.items())]
    rules.check_weights(weights, {row.id: row for row in current.projects})
    fields = {
        "id": await store.next_portfolio_id(conn),
        "account_id": account_id,
        "name": name,
        "description": description,
        "image_url": image_url,
        "weights": weights,
    }
    try:
        row = msgspec.convert(fields, PortfolioRow, from_attributes=True)
    except msgspec.ValidationError as error:
        raise CatalogueRefused(f"The portfolio cannot be made: {error}. Correct it.") from error
    await _save(conn, Rows(portfolios=(row,)), now, made_by, reason)
    return row.id


async def _save(conn: Connection, change: Rows, now: datetime, made_by: str, reason: str) -> int:
    for partner in change.partners:
        await store.upsert_partner(conn, partner, now)
    # There can be only one default and one provider, so the old one goes before the new one comes.
    for project in sorted(change.projects, key=lambda row: row.is_tree_provider):
        await store.upsert_project(conn, project, now)
    for portfolio in sorted(change.portfolios, key=lambda row: row.is_default):
        await store.upsert_portfolio(conn, portfolio, now)
    for price in change.prices:
        await store.insert_price(conn, price, now)
    revision = await raise_revision(conn, TOPIC)
    await store.insert_revision(conn, revision, change, made_at=now, made_by=made_by, reason=reason)
    return revision
