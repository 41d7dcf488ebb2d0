"""The simulator as a process: a port, the background work, and an end when asked to.

What must hold: the port is bound first, so a taken one is told in one line; SIGTERM ends it within
a second, hanging calls included; an answer that has left is on disk.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

from fieldfare.simulators.stripe.api import answer
from fieldfare.simulators.stripe.background import run_background
from fieldfare.simulators.stripe.control import PREFIX, serve_control
from fieldfare.simulators.stripe.endpoints import ensure_endpoints
from fieldfare.simulators.stripe.errors import ApiError, SimulatorRefused
from fieldfare.simulators.stripe.hosted import PREFIXES, serve_page
from fieldfare.simulators.stripe.messages import Reply, Request
from fieldfare.simulators.stripe.server import Connection
from fieldfare.simulators.stripe.store import transaction
from fieldfare.simulators.stripe.world import Call, World, now, open_world

DEFAULT_PORT = 3002
DEFAULT_STRIPE_KEY = "sk_test_fieldfare"
BACKLOG = 1_024
LAST_ANSWERS_S = 0.3


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a simulator is started."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 takes a free one."""
    home: Path | None = None
    """The folder of its state; without one it remembers nothing."""
    secret_key: str = DEFAULT_STRIPE_KEY
    webhooks: tuple[tuple[str, str], ...] = ()
    """Endpoints that get every event: address and signing secret."""


def pair_webhooks(urls: list[str], secrets: list[str]) -> tuple[tuple[str, str], ...]:
    """Each address with the secret that was given with it; raises `SimulatorRefused`."""
    if len(urls) != len(secrets):
        raise SimulatorRefused("give one --webhook-secret with each --webhook")
    return tuple(zip(urls, secrets, strict=True))


def bind(host: str, port: int) -> socket.socket:
    """The listening socket; raises `SimulatorRefused` if the port is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SimulatorRefused(
            f"the Stripe simulator cannot listen on {host} port {port} ({error.strerror}); stop "
            "what uses it, or give another --port"
        ) from error
    return listener


def run(options: Options, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told the base URL. Raises `SimulatorRefused`."""
    with bind(options.host, options.port) as listener:
        asyncio.run(_run_until_signal(options, listener, ready))


async def _run_until_signal(
    options: Options, listener: socket.socket, ready: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    await serve(options, listener, stop, ready)


async def serve(
    options: Options, listener: socket.socket, stop: asyncio.Event, ready: Callable[[str], None]
) -> None:
    """Serve on `listener` until `stop` is set."""
    world = open_world(options.home, secret_key=options.secret_key, webhooks=options.webhooks)
    connections: set[Connection] = set()
    try:
        _add_endpoints(world)
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(lambda request: _dispatch(world, request), connections),
            sock=listener,
        )
        background = asyncio.create_task(run_background(world))
        host = f"[{options.host}]" if ":" in options.host else options.host
        ready(f"http://{host}:{listener.getsockname()[1]}")
        await _wait(stop, background)
        server.close()
        await _end(connections, background)
    finally:
        world.db.close()


def _add_endpoints(world: World) -> None:
    try:
        with transaction(world.db):
            ensure_endpoints(Call(world=world, now=now(world)))
    except ApiError as error:
        raise SimulatorRefused(
            f"--webhook: {error}; give an http:// or https:// address"
        ) from error


async def _wait(stop: asyncio.Event, background: asyncio.Task[None]) -> None:
    """Return when asked to stop; what ends the background work ends the process."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, background}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if background.done():
        background.result()


async def _end(connections: set[Connection], background: asyncio.Task[None]) -> None:
    # What is under way gets a moment to be answered; what hangs does not.
    working = [task for connection in connections if (task := connection.task) is not None]
    if working:
        await asyncio.wait(working, timeout=LAST_ANSWERS_S)
    for connection in list(connections):
        connection.end()
    left = [background, *working]
    for task in left:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*left, return_exceptions=True)


async def _dispatch(world: World, request: Request) -> Reply:
    if request.path.startswith(PREFIX):
        return await serve_control(world, request)
    if request.path.startswith(PREFIXES):
        return serve_page(world, request)
    return await answer(world, request)
