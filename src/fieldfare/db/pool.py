"""The connection pool, transactions, and what a client is told when the database does not answer.

No lock may be held across the network, so `transaction()` sets a context variable and everything
that talks to another system calls `assert_no_transaction()` first.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import msgspec

from fieldfare.kernel.errors import AnswerLost, Contended, HeldUp, Unavailable
from fieldfare.telemetry.families import CONNECTIONS, CONNECTIONS_MOST

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    # asyncpg's classes are generic for type checkers only.
    Connection = asyncpg.pool.PoolConnectionProxy

T = TypeVar("T")

_afterwards: ContextVar[list[Callable[[], None]] | None] = ContextVar("afterwards", default=None)
"""What is to be done once the transaction that is open here has committed; None outside one."""

ACQUIRE_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_MS = 15_000
DEADLOCK_TRIES = 4
DEADLOCK_REST_S = 0.02
"""At most, before the second try; twice as long each time."""

REQUEST_PLANS = {
    # Planning a list anew each time, over tables of two years of months, takes twenty times as long
    # as reading its page. That the plans for unknown parameters are good ones is held by a test.
    "plan_cache_mode": "force_generic_plan",
    # A plan may be as old as its connection. Made while a month was empty, it would go on reading
    # it whole as it fills; no request ever has a reason to.
    "enable_seqscan": "off",
    # For unknown parameters many rows are expected of each month, so that workers seem worth their
    # while. To start them takes a hundred times as long as reading the seven lines of an order.
    "max_parallel_workers_per_gather": "0",
}
"""Settings of a session that serves requests, beside those of every session."""

DATABASE_DOWN = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    # A database whose operator lets nobody connect for the time being.
    asyncpg.ObjectNotInPrerequisiteStateError,
    OSError,
    TimeoutError,
)
"""What asyncpg raises when the server is away, full, shutting down, or slower than the time-out."""


class Database(msgspec.Struct, frozen=True):
    """A pool of connections to one database."""

    pool: "asyncpg.Pool[asyncpg.Record]"

    async def close(self) -> None:
        """Wait for borrowed connections, then close them all; after ten seconds, cut them."""
        try:
            await asyncio.wait_for(self.pool.close(), timeout=10)
        except TimeoutError:
            self.pool.terminate()


async def _prepare_connection(conn: "asyncpg.Connection[Any]") -> None:
    for name in ("json", "jsonb"):
        await conn.set_type_codec(
            name, encoder=_encode_json, decoder=msgspec.json.decode, schema="pg_catalog"
        )


async def _leave_as_it_is(conn: "asyncpg.Connection[Any]") -> None:
    # The pool ends a connection whose reset fails, and with it whatever was left open.
    assert not conn.is_in_transaction(), "a connection was given back inside a transaction"


def _encode_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def open_database(
    url: str, *, pool_size: int, application: str, for_requests: bool = False
) -> Database:
    """Connect to the server at `url`; raises one of `DATABASE_DOWN` if it cannot be reached.

    `for_requests` plans each statement once: short ones by key, not what reads whole tables.
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=2,
        max_size=pool_size,
        init=_prepare_connection,
        # Nothing changes a session's state beyond its transaction, so a connection that is given
        # back needs no reset: that would be a round trip more for every order.
        reset=_leave_as_it_is,
        server_settings={
            "application_name": application,
            "timezone": "UTC",
            # Whoever has waited for a lock must see what its holder has committed.
            "default_transaction_isolation": "read committed",
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_MS),
            # The arrays of an order are tiny: compiling their plan would cost more than it.
            "jit": "off",
            **(REQUEST_PLANS if for_requests else {}),
        },
    )
    return Database(pool)


def watch_pool(db: Database) -> None:
    """From now on, metrics tell of this pool as the one of this process."""
    pool = db.pool

    def count() -> dict[tuple[str, ...], float]:
        idle = pool.get_idle_size()
        return {("used",): pool.get_size() - idle, ("idle",): idle}

    CONNECTIONS.watch(count)
    CONNECTIONS_MOST.watch(lambda: {(): pool.get_max_size()})


@asynccontextmanager
async def connection(db: Database) -> AsyncIterator[Connection]:
    """Borrow a connection for single statements; each commits by itself.

    Raises `Unavailable` (503) if the database does not answer: then nothing was done, unless it is
    `AnswerLost`. `Contended` is what `retry_deadlocks` tries again; `HeldUp` comes only of a
    statement that sets a `lock_timeout`.
    """
    borrowed = False
    try:
        async with db.pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            borrowed = True
            yield conn
    except asyncpg.TransactionRollbackError as error:
        raise Contended(
            "The database undid this in favour of a rival. Send the request again in a moment.",
            code="database_unavailable",
        ) from error
    except asyncpg.LockNotAvailableError as error:
        raise HeldUp(
            "Something else has been at work on this account for too long, so nothing was done. "
            "Send the request again in a moment.",
            code="database_unavailable",
        ) from error
    except DATABASE_DOWN as error:
        if borrowed and _may_be_done(error):
            raise AnswerLost(_AWAY, code="database_unavailable") from error
        raise Unavailable(_AWAY, code="database_unavailable") from error


_AWAY = (
    "The database does not answer. Send the request again in a moment; "
    "with the same Idempotency-Key it cannot take effect twice."
)


def _may_be_done(error: BaseException) -> bool:
    """Whether a statement, a COMMIT among them, may have been carried out although it failed so.

    Not if the server itself has said what is wrong: it does so only before it commits. Not if the
    connection was known to be closed before anything was sent.
    """
    told = error.__cause__ if isinstance(error, asyncpg.ConnectionDoesNotExistError) else error
    if isinstance(told, asyncpg.PostgresError):
        # Of the connection's end, it is a pooler that tells; it does not know either.
        return isinstance(told, asyncpg.PostgresConnectionError)
    return not isinstance(told, asyncpg.InterfaceError)


@asynccontextmanager
async def transaction(db: Database) -> AsyncIterator[Connection]:
    """Borrow a connection inside one transaction: it commits at the end, or undoes everything."""
    afterwards: list[Callable[[], None]] = []
    async with connection(db) as conn, conn.transaction():
        token = _afterwards.set(afterwards)
        try:
            yield conn
        finally:
            _afterwards.reset(token)
    for call in afterwards:
        call()


def after_commit(call: Callable[[], None]) -> None:
    """Have `call` run once what is being written here has committed, and only then.

    For what is counted of it: it must not fail, and is lost with the process.
    """
    afterwards = _afterwards.get()
    if afterwards is None:
        call()
    else:
        afterwards.append(call)


async def retry_deadlocks(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work`, a whole transaction, again if the server chose it to give way to a rival.

    Raises `Contended` if that happens too often.
    """
    for number in range(DEADLOCK_TRIES - 1):
        try:
            return await work()
        except Contended:
            # By chance, so that those who met do not meet again.
            rest_s = random.uniform(0, DEADLOCK_REST_S * 2**number)  # noqa: S311 - keeps rivals apart
            await asyncio.sleep(rest_s)
    return await work()


def assert_no_transaction() -> None:
    """Called before every use of the network: a lock must not wait for another machine."""
    assert _afterwards.get() is None, "a transaction is open across a network call"
