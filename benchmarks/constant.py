"""`python -m benchmarks.constant FILE PORT`: a server that answers everything with one file.

It is the product's server with nothing in it: uvicorn on the same event loop with the same parser,
as many processes on one port, and an application of a single answer without a framework. So it is
the fastest that an answer of this size can be, and what the product's own layers cost shows.
"""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import uvicorn
import uvloop

from benchmarks.stage import Stage, end_process, wait_until_ready
from fieldfare.db import embedded
from fieldfare.db.embedded.children import open_log, signal_at_parent_death

Message: TypeAlias = MutableMapping[str, Any]


@contextmanager
def constant_server(stage: Stage, body: bytes, *, processes: int) -> Iterator[str]:
    """Answer with `body` while the block runs, by so many processes; gives the base URL."""
    path, log_path = stage.folder / "constant", stage.folder / "constant.log"
    path.write_bytes(body)
    port = embedded.free_port()
    base_url = f"http://127.0.0.1:{port}"
    with ExitStack() as started:
        log = started.enter_context(open_log(log_path))
        for _ in range(processes):
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.constant", str(path), str(port)],
                stdout=log,
                stderr=log,
                preexec_fn=signal_at_parent_death(signal.SIGTERM),
            )
            started.callback(end_process, process)
            wait_until_ready(process, base_url, log_path)
        yield base_url


def serve(body: bytes, port: int) -> None:
    """Answer until a signal to stop."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]

    async def app(
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    listener = socket.create_server(("127.0.0.1", port), reuse_port=True)
    config = uvicorn.Config(
        app, http="httptools", lifespan="off", access_log=False, log_config=None,
        proxy_headers=False, server_header=False,
    )  # fmt: skip
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    serve(Path(sys.argv[1]).read_bytes(), int(sys.argv[2]))
