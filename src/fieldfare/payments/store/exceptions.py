"""What a person has to look at, on one list."""

from uuid import UUID

from fieldfare.db.pool import Connection
from fieldfare.db.queries import load_queries
from fieldfare.payments.model import ExceptionKind, OpenException

_queries = load_queries(__file__)


async def open_exception(
    conn: Connection, identifier: UUID, *, kind: ExceptionKind, subject: str, detail: str
) -> None:
    """Put something on the list, once while it is open."""
    await _queries.open_exception(conn, id=identifier, kind=kind, subject=subject, detail=detail)


async def has_said(conn: Connection, kind: ExceptionKind, subject: str, detail: str) -> bool:
    """Whether an exception said this of a subject before, however that ended."""
    return bool(await _queries.has_said(conn, kind=kind, subject=subject, detail=detail))


async def resolve_exceptions(conn: Connection, subject: str, resolution: str) -> None:
    """Whatever is open about a subject is settled."""
    await _queries.resolve_exceptions(conn, subject=subject, resolution=resolution)


async def resolve_exception(conn: Connection, identifier: UUID, resolution: str) -> bool:
    """Close one by hand; False if it is not open."""
    return bool(await _queries.resolve_exception(conn, id=identifier, resolution=resolution))


async def list_open_exceptions(conn: Connection, at_most: int) -> list[OpenException]:
    """What is open, oldest first."""
    rows = _queries.list_open_exceptions(conn, at_most=at_most)
    return [OpenException(**row) async for row in rows]


async def count_open_exceptions(conn: Connection) -> dict[ExceptionKind, int]:
    """How many are open, of each kind that has any."""
    return {row["kind"]: row["open"] async for row in _queries.count_open_exceptions(conn)}
