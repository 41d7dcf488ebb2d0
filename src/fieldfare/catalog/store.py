"""The statements of the catalogue, one typed function each."""

from datetime import datetime
from typing import Any

import msgspec

from fieldfare.catalog.model import (
    PartnerRow,
    PortfolioRow,
    PriceRow,
    ProjectRow,
    Rows,
    WeightRow,
)
from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries

_queries = load_queries(__file__)


async def lock_revisions(conn: Connection) -> None:
    """Wait until no other transaction changes the catalogue, then keep others from it."""
    await _queries.lock_revisions(conn)


async def find_newest_revision(conn: Connection) -> int | None:
    """The number of the last change, or None before the first."""
    newest: int | None = await _queries.find_newest_revision(conn)
    return newest


async def read_clock(conn: Connection) -> datetime:
    """The database's present time: the one clock that all processes share."""
    now: datetime = await _queries.read_clock(conn)
    return now


async def list_rows(conn: Connection) -> Rows:
    """All of the catalogue; consistent only inside one snapshot."""
    return Rows(
        partners=tuple([PartnerRow(**row) async for row in _queries.list_partners(conn)]),
        projects=tuple([_project(row) async for row in _queries.list_projects(conn)]),
        portfolios=tuple([_portfolio(row) async for row in _queries.list_portfolios(conn)]),
        prices=tuple([PriceRow(**row) async for row in _queries.list_prices(conn)]),
    )


def _project(row: Any) -> ProjectRow:
    fields = dict(row)
    return ProjectRow(**fields | {"sdgs": tuple(fields["sdgs"])})


def _portfolio(row: Any) -> PortfolioRow:
    fields = dict(row)
    weights = tuple(WeightRow(**weight) for weight in fields["weights"])
    return PortfolioRow(**fields | {"weights": weights})


async def list_changes(conn: Connection) -> list[tuple[int, Any]]:
    """Every revision so far with its change as it is kept, not yet checked; first to last."""
    return [(row["revision"], row["change"]) async for row in _queries.list_changes(conn)]


async def upsert_partner(conn: Connection, row: PartnerRow, made_at: datetime) -> None:
    """Write a partner as new or over what was there."""
    await _queries.upsert_partner(conn, **msgspec.structs.asdict(row), made_at=made_at)


async def upsert_project(conn: Connection, row: ProjectRow, made_at: datetime) -> None:
    """Write a project as new, or over what was there but its unit."""
    await _queries.upsert_project(conn, **msgspec.structs.asdict(row), made_at=made_at)


async def next_portfolio_id(conn: Connection) -> int:
    """The id for a portfolio that is made here, 1000 or more."""
    portfolio_id: int = await _queries.next_portfolio_id(conn)
    return portfolio_id


async def upsert_portfolio(conn: Connection, row: PortfolioRow, made_at: datetime) -> None:
    """Write a portfolio and exactly its weights, as new or over what was there."""
    fields = msgspec.structs.asdict(row)
    weights: tuple[WeightRow, ...] = fields.pop("weights")
    await _queries.upsert_portfolio(conn, **fields, made_at=made_at)
    await _queries.delete_weights(conn, portfolio_id=row.id)
    await _queries.insert_weights(
        conn,
        portfolio_id=row.id,
        project_ids=[weight.project_id for weight in weights],
        weights_ppm=[weight.weight_ppm for weight in weights],
    )


async def insert_price(conn: Connection, row: PriceRow, made_at: datetime) -> None:
    """Add a price; raises `asyncpg.UniqueViolationError` if one starts at that very instant."""
    await _queries.insert_price(conn, **msgspec.structs.asdict(row), made_at=made_at)


async def insert_revision(
    conn: Connection, revision: int, change: Rows, *, made_at: datetime, made_by: str, reason: str
) -> None:
    """Keep a change whole, beside the rows that it wrote."""
    await _queries.insert_revision(
        conn,
        revision=revision,
        made_at=made_at,
        made_by=made_by,
        reason=reason,
        change=change,
    )
