"""uvicorn as we run it: one way for the product and for its tests.

No protocol but HTTP/1.1, no header of a proxy believed, and once a second a look at each connection
for who keeps us waiting (`http.connection`).
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import cast

import uvicorn
from litestar.types import ASGIApp

from fieldfare.http.connection import Connection
from fieldfare.http.ready import ReadyAnswers

BACKLOG = 65_535
"""Of connections that wait to be taken: as many as the system allows (`net.core.somaxconn`)."""
DRAIN_SECONDS = 20
LOOK_TICKS = 10
"""A tick of uvicorn's is a tenth of a second."""


@dataclass(frozen=True)
class Application:
    """What answers requests."""

    asgi: ASGIApp
    ready: ReadyAnswers
    """What may be answered before `asgi` is entered."""


def config_of(app: Application, *, protocol: type[Connection] = Connection) -> uvicorn.Config:
    """How `app` is served."""
    return uvicorn.Config(
        app.asgi,
        # uvicorn calls it once for each connection, and asks for no more of a class.
        http=cast("type[Connection]", partial(protocol, ready=app.ready)),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        backlog=BACKLOG,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


class Server(uvicorn.Server):
    """uvicorn's server, which looks at its connections."""

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to stop."""
        if counter % LOOK_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.look(now)
        return await super().on_tick(counter)
