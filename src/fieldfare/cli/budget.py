"""How many processes serve the API, and whether the database has connections for them all.

Each process of the API has a pool of FIELDFARE_POOL_SIZE connections, and so has the worker. What
must hold: the whole fits into what the server gives, or nothing starts. A pool that finds out only
under load that the server is full would refuse orders at the worst moment.
"""

import os
import sys
from pathlib import Path

import structlog

from fieldfare.db.capacity import count_connections_allowed
from fieldfare.db.revision import open_migrated_database
from fieldfare.settings import Settings, SettingsRefused

MOST_PROCESSES = 64
METRICS_CONNECTIONS = 2
"""What the process that answers `/metrics` may open."""
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_log = structlog.get_logger(__name__)


async def plan_processes(settings: Settings) -> int:
    """How many processes to start; says in the log what connections they need.

    Raises `SettingsRefused` if the server gives too few, or `MigrationRefused` if it does not
    answer or has another schema.
    """
    if settings.database_url is None:
        raise SettingsRefused(
            "DATABASE_URL is not set; name a PostgreSQL server, or use `fieldfare up`, which "
            "starts one"
        )
    db = await open_migrated_database(
        settings.database_url, pool_size=2, application="fieldfare-api"
    )
    try:
        async with db.pool.acquire() as conn:
            allowed = await count_connections_allowed(conn)
    finally:
        await db.close()
    if settings.metrics_port is not None:
        allowed -= METRICS_CONNECTIONS
    processes = choose_processes(
        settings.processes, cores=count_cores(), pool_size=settings.pool_size, allowed=allowed
    )
    _log.info(
        "connection_budget",
        processes=processes,
        connections_each=settings.pool_size,
        connections_with_worker=(processes + 1) * settings.pool_size,
        connections_allowed=allowed,
    )
    return processes


def choose_processes(asked: int | None, *, cores: int, pool_size: int, allowed: int) -> int:
    """As many as were asked for, or one per core as far as the `allowed` connections go.

    Raises `SettingsRefused` if these, and the worker, need more connections than that.
    """
    fitting = allowed // pool_size - 1
    processes = asked or max(1, min(cores, fitting, MOST_PROCESSES))
    if processes > fitting:
        raise SettingsRefused(
            f"{processes} {'process' if processes == 1 else 'processes'} of the API and the worker "
            f"need {(processes + 1) * pool_size} database connections and the server gives "
            f"{allowed}; set FIELDFARE_POOL_SIZE (now {pool_size}) or FIELDFARE_PROCESSES lower, "
            "or raise the server's max_connections"
        )
    return processes


def count_cores() -> int:
    """The cores that this process may use, 1 or more: a container may be given fewer.

    Off Linux 1: there nothing ends our processes when the one that started them is killed.
    """
    if sys.platform != "linux":
        return 1
    return min(len(os.sched_getaffinity(0)), read_quota(CPU_QUOTA))


def read_quota(file: Path) -> int:
    """The cores of a control group's `cpu.max`, rounded up; a large number where there is none."""
    try:
        quota, period = file.read_text(encoding="ascii").split()
        return max(1, -(-int(quota) // int(period)))
    except (OSError, ValueError):  # not there, or "max"
        return MOST_PROCESSES
