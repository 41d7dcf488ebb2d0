"""What metrics tell of the database: read when it is asked for, by one process of a machine.

What must hold: however often it is asked, the database is read once in `KEPT_S`, by one connection
and within `PATIENCE_S`; and one that is away makes what stands in it unknown, and nothing else.
"""

import asyncio
import time
from datetime import UTC, datetime

import asyncpg
import structlog

from fieldfare.cli.budget import METRICS_CONNECTIONS
from fieldfare.db import held, partitions
from fieldfare.db.pool import DATABASE_DOWN, Connection, Database, connection, open_database
from fieldfare.kernel.errors import Unavailable
from fieldfare.notifications.service.outbox import measure_outbox
from fieldfare.payments.service.exceptions import count_exceptions, measure_unknown
from fieldfare.telemetry import families
from fieldfare.telemetry.meters import Samples
from fieldfare.telemetry.snapshots import ByName

KEPT_S = 5.0
PATIENCE_S = 4.0
DAYS_LOOKED_AHEAD = 730
_KINDS = ("purchase", "top_up", "refund")
_log = structlog.get_logger(__name__)


class StoredFacts:
    """The facts of one database, as last read."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._db: Database | None = None
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")
        self._facts: ByName | None = None

    async def read(self) -> ByName | None:
        """Samples by the names of `families.STORED`; None if they cannot be read."""
        async with self._lock:
            if time.monotonic() - self._read_at >= KEPT_S:
                self._facts = await self._try_to_read()
                self._read_at = time.monotonic()
        return self._facts

    async def close(self) -> None:
        """Give the connections back."""
        if self._db is not None:
            await self._db.close()

    async def _try_to_read(self) -> ByName | None:
        if self._url is None:
            return None
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._db is None:
                    self._db = await open_database(
                        self._url, pool_size=METRICS_CONNECTIONS, application="fieldfare-metrics"
                    )
                async with connection(self._db) as conn:
                    return await read_facts(conn)
        except (*DATABASE_DOWN, Unavailable, asyncpg.PostgresError, ValueError) as error:
            # Away, or of a schema that is just being migrated.
            _log.warning("facts_not_read", reason=type(error).__name__)
            return None


async def read_facts(conn: Connection) -> ByName:
    """What stands in the database, by the names of `families.STORED`."""
    return {
        **await _outbox(conn),
        **await _unknown(conn),
        **await _jobs(conn),
        families.EXCEPTIONS.name: [
            ((kind,), [count]) for kind, count in (await count_exceptions(conn)).items()
        ],
        families.MONTHS_AHEAD_S.name: await _months_ahead(conn),
    }


async def _outbox(conn: Connection) -> ByName:
    size = await measure_outbox(conn)
    return {
        families.OUTBOX_ROWS.name: [(("due",), [size.due]), (("later",), [size.later])],
        families.OUTBOX_AGE_S.name: [((), [size.oldest_due_s])],
    }


async def _unknown(conn: Connection) -> ByName:
    # What there is none of is told too: an alert on a sample that is missing never fires.
    unknown = await measure_unknown(conn)
    found: dict[str, tuple[int, float]] = {u.kind: (u.pending, u.oldest_s) for u in unknown}
    by_kind = {kind: found.get(kind, (0, 0.0)) for kind in _KINDS}
    return {
        families.UNKNOWN.name: [((kind,), [count]) for kind, (count, _) in by_kind.items()],
        families.UNKNOWN_AGE_S.name: [((kind,), [age_s]) for kind, (_, age_s) in by_kind.items()],
    }


async def _jobs(conn: Connection) -> ByName:
    now = datetime.now(UTC)
    jobs: Samples = []
    ages: Samples = []
    for one in await held.list_waiting(conn):
        jobs += [((one.topic, "waiting"), [one.waiting]), ((one.topic, "running"), [one.running])]
        ages.append(((one.topic,), [max(0.0, (now - one.oldest_at).total_seconds())]))
    jobs += [((topic, "held"), [count]) for topic, count in (await held.count_held(conn)).items()]
    return {families.JOBS.name: jobs, families.JOB_AGE_S.name: ages}


async def _months_ahead(conn: Connection) -> Samples:
    now = datetime.now(UTC)
    ending = await partitions.list_running_out(conn, days_ahead=DAYS_LOOKED_AHEAD)
    return [((one.table,), [(one.until - now).total_seconds()]) for one in ending]
