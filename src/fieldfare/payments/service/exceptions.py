"""What a person has to look at before the books can close."""

from uuid import UUID

from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection
from fieldfare.ledger.rules import clean_reason
from fieldfare.payments import store
from fieldfare.payments.errors import ExceptionNotFound
from fieldfare.payments.model import ExceptionKind, OpenException, UnknownOutcomes

LISTED = 500
COUNTED_TO = 10_000


async def open_exception(conn: Connection, kind: ExceptionKind, subject: str, detail: str) -> None:
    """Put something on the list; once while it is open."""
    await store.open_exception(conn, new_id(), kind=kind, subject=subject, detail=detail)


async def open_exception_once(
    conn: Connection, kind: ExceptionKind, subject: str, detail: str
) -> None:
    """The same for what is looked at again and again: once closed, it does not come back.

    Another `detail` is other news.
    """
    if not await store.has_said(conn, kind, subject, detail):
        await open_exception(conn, kind, subject, detail)


async def list_exceptions(conn: Connection) -> list[OpenException]:
    """What is open, oldest first, up to five hundred."""
    return await store.list_open_exceptions(conn, LISTED)


async def resolve_exception(conn: Connection, identifier: UUID, resolution: str) -> None:
    """Close one with the reason that a person gives; it is kept in one line.

    Raises `ReasonRefused` or `ExceptionNotFound`.
    """
    if not await store.resolve_exception(conn, identifier, clean_reason(resolution)):
        raise ExceptionNotFound(
            f"There is no open exception {identifier}. `fieldfare exceptions list` shows them."
        )


async def count_exceptions(conn: Connection) -> dict[ExceptionKind, int]:
    """How many are open, of each kind that has any."""
    return await store.count_open_exceptions(conn)


async def measure_unknown(conn: Connection) -> list[UnknownOutcomes]:
    """What has been pending for over a minute, which a person hears of after an hour."""
    return await store.measure_unknown(conn, COUNTED_TO)
