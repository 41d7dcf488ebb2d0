"""The sink as a process: both ports bound before anything else, gone within a second of SIGTERM."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import uvicorn
import uvloop

from fieldfare.simulators.mail.box import MailBox
from fieldfare.simulators.mail.listener import Listener, bind
from fieldfare.simulators.mail.smtp import Postmaster
from fieldfare.simulators.mail.web import create_app

LOOPBACK = "127.0.0.1"
FOLDER = "mail"


class PortTaken(Exception):
    """A port that the sink was told to use is in use by another program."""


def run_sink(smtp_port: int, http_port: int, home: Path) -> None:
    """Take and show mail until SIGTERM or SIGINT; raises `PortTaken`."""
    with _bound(smtp_port) as smtp, _bound(http_port) as http:
        # Before uvicorn listens to signals, and after it has stopped and raises them once more.
        for stopping in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stopping, lambda *_: sys.exit(0))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(smtp, http, home / FOLDER))


async def _serve(smtp: socket.socket, http: socket.socket, folder: Path) -> None:
    box = MailBox(folder)
    listener = Listener(Postmaster(box), smtp)
    config = uvicorn.Config(
        create_app(box, listener),
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    try:
        await listener.open()
        await uvicorn.Server(config).serve(sockets=[http])
    finally:
        listener.close()


def _bound(port: int) -> socket.socket:
    try:
        return bind((LOOPBACK, port))
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {LOOPBACK} port {port} ({error.strerror}); stop what uses it, or "
            "name another port"
        ) from error
