"""`fieldfare up`: everything on this machine, in the foreground, from an empty folder on.

The order is the point. Each line of `_bring_up` needs what stands above it, and the way down is the
same path backwards: demo.json goes first, then the API drains, then the worker ends, and the
database server is last. Whatever stops the way up takes the same way down.
"""

import os
import secrets
import sys
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import typer

from fieldfare.cli.certificate_key_file import keep_private_key
from fieldfare.cli.demo_file import remove_demo, write_demo
from fieldfare.cli.ports import check_port
from fieldfare.cli.steps import complain, note, say, step
from fieldfare.cli.supervisor import (
    Part,
    Running,
    StopRequested,
    UpRefused,
    check_alive,
    end_orphans,
    start_part,
    stop_on_signals,
    stop_part,
    wait_until_ready,
    watch,
)
from fieldfare.db import embedded
from fieldfare.db.embedded.locks import LockHeldError, take_lock
from fieldfare.db.errors import MigrationRefused
from fieldfare.settings import Settings, SettingsRefused, read_settings

if TYPE_CHECKING:
    from fieldfare.cli.demo import DemoAccess

POSTGRES_PORT_OFFSET = 1
STRIPE_PORT_OFFSET = 2
MAIL_PORT_OFFSET = 3
SMTP_PORT_OFFSET = 4
METRICS_PORT_OFFSET = 5
DEMO_STRIPE_KEY = "sk_test_fieldfare"
CERTIFICATE_KEY_FILE = "certificate-key.pem"
PROGRAM = (sys.executable, "-m", "fieldfare.cli.main")
OLDEST_SERVER = 15
_CONNECT_TIMEOUT_S = 5


def up() -> None:
    """Start everything on this machine and print the first order; Ctrl-C stops it.

    Without DATABASE_URL a PostgreSQL of its own is started. State lives in FIELDFARE_HOME
    (.fieldfare), the API listens on FIELDFARE_PORT (3001), the other parts on the ports after it.

    Example: FIELDFARE_PORT=4001 fieldfare up
    """
    try:
        with stop_on_signals():
            _bring_up(read_settings())
    except StopRequested:
        say("Stopped.")
    except (SettingsRefused, UpRefused, MigrationRefused, embedded.EmbeddedRefused) as refusal:
        complain(str(refusal))
        raise typer.Exit(1) from None
    except OSError as error:  # a full disk, a read-only folder, no more processes
        complain(f"the system refused: {error}; settle that and start again")
        raise typer.Exit(1) from error


def _bring_up(settings: Settings) -> None:
    with ExitStack() as on_the_way_down:
        say(f"Fieldfare is starting; its state is in {settings.home}")
        _own_home(settings.home, on_the_way_down)
        _check_ports(settings)
        running: list[Running] = []
        if settings.database_url is None:
            server = _start_postgres(settings, running, on_the_way_down)
            # Other programs come by TCP, ours by the quicker way.
            database_url, parts_url = server.url, server.local_url
        else:
            database_url = parts_url = settings.database_url
            _check_server(database_url)
        outside = _outside(settings)
        _start_parts(_simulators(settings, outside), settings, running, on_the_way_down)
        access = _prepare_database(database_url, settings.home, outside)
        certificate_key = keep_private_key(settings.home / CERTIFICATE_KEY_FILE)
        # Started in the reverse order of stopping: the API drains while the worker still works.
        parts = _parts(settings, parts_url, outside, certificate_key)
        _start_parts(parts, settings, running, on_the_way_down)
        check_alive(running)
        on_the_way_down.callback(remove_demo, settings.home)
        base_url = _base_url(settings)
        _publish(settings, database_url, access, outside, running)
        _greet(base_url, _metrics_url(settings), access, outside)
        watch(running)


def _start_parts(
    parts: list[Part], settings: Settings, running: list[Running], on_the_way_down: ExitStack
) -> None:
    for part in parts:
        one = start_part(part, settings.home)
        running.append(one)
        on_the_way_down.callback(_stop, one, settings.home)
    for part in parts:
        with step(f"{part.name} {'answers' if part.ready_url else 'runs'}"):
            wait_until_ready(part, running)


class _Outside(msgspec.Struct, frozen=True, kw_only=True):
    """Where the demo's outside world is: simulators that behave as the real ones do."""

    stripe_port: int
    mail_port: int
    smtp_port: int
    webhook_secret: str

    @property
    def stripe_url(self) -> str:
        """The card processor's API."""
        return f"http://127.0.0.1:{self.stripe_port}"

    @property
    def mail_url(self) -> str:
        """Every mail that was sent, as JSON; `/inbox` for people."""
        return f"http://127.0.0.1:{self.mail_port}"


def _outside(settings: Settings) -> _Outside:
    return _Outside(
        stripe_port=settings.port + STRIPE_PORT_OFFSET,
        mail_port=settings.port + MAIL_PORT_OFFSET,
        smtp_port=settings.port + SMTP_PORT_OFFSET,
        webhook_secret=f"whsec_{secrets.token_hex(16)}",
    )


def _simulators(settings: Settings, outside: _Outside) -> list[Part]:
    """The processes that stand for the outside world."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    stripe = (
        # Without the command line it starts sooner and stays smaller.
        sys.executable, "-m", "fieldfare.simulators.stripe", "--port", str(outside.stripe_port),
        "--home", str(settings.home / "stripe"),
        "--webhook", f"{_base_url(settings)}/webhooks/stripe",
        "--webhook-secret", outside.webhook_secret,
    )  # fmt: skip
    mail = (
        *PROGRAM, "simulate", "mail", "--smtp-port", str(outside.smtp_port),
        "--http-port", str(outside.mail_port), "--home", str(settings.home / "mail"),
    )  # fmt: skip
    return [
        Part(
            name="stripe",
            argv=stripe,
            env=env,
            ready_url=f"{outside.stripe_url}/_control/clock",
        ),
        Part(name="mail", argv=mail, env=env, ready_url=f"{outside.mail_url}/"),
    ]


def _parts(
    settings: Settings, database_url: str, outside: _Outside, certificate_key: Path
) -> list[Part]:
    """The processes that make up the product, in the order in which they start."""
    env = {
        # A secret's file would win over the value that the demo sets; all else is passed on.
        **{
            name: value
            for name, value in os.environ.items()
            if name != "DATABASE_URL_FILE"
            and not (name.startswith("FIELDFARE_") and name.endswith("_FILE"))
        },
        "DATABASE_URL": database_url,
        "FIELDFARE_HOME": str(settings.home),
        "FIELDFARE_STRIPE_KEY": DEMO_STRIPE_KEY,
        "FIELDFARE_STRIPE_URL": outside.stripe_url,
        "FIELDFARE_STRIPE_WEBHOOK_SECRET": outside.webhook_secret,
        "FIELDFARE_CERTIFICATE_KEY_FILE": str(certificate_key),
        "FIELDFARE_SMTP_HOST": "127.0.0.1",
        "FIELDFARE_SMTP_PORT": str(outside.smtp_port),
        "FIELDFARE_SMTP_SECURITY": "plain",
        # The sink asks nobody to log in.
        "FIELDFARE_SMTP_USER": "",
        "FIELDFARE_SMTP_PASSWORD": "",
        "FIELDFARE_METRICS_PORT": str(_metrics_port(settings)),
        "PYTHONUNBUFFERED": "1",
    }
    return [
        Part(name="worker", argv=(*PROGRAM, "worker"), env=env),
        Part(
            name="api",
            argv=(*PROGRAM, "serve"),
            env=env,
            ready_url=f"{_base_url(settings)}/readyz",
        ),
    ]


def _own_home(home: Path, on_the_way_down: ExitStack) -> None:
    """Be the only one on this home, and end what a killed run left of it."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock_fd = take_lock(home / "up.lock")
    except LockHeldError as held:
        raise UpRefused(
            f"it runs already on {home} (pid {held.pid}); stop it with `kill {held.pid}`, "
            f"or set FIELDFARE_HOME and FIELDFARE_PORT to run another"
        ) from None
    except OSError as error:
        raise UpRefused(
            f"{home} cannot be used ({error.strerror}); set FIELDFARE_HOME to a folder of yours"
        ) from error
    on_the_way_down.callback(os.close, lock_fd)
    remove_demo(home)
    end_orphans(home)
    embedded.clear_leftovers(home, log=note)


def _check_ports(settings: Settings) -> None:
    base_port = settings.port
    check_port(settings.host, base_port, "api", base_port=base_port)
    if settings.database_url is None:
        port = base_port + POSTGRES_PORT_OFFSET
        check_port("127.0.0.1", port, "database server", base_port=base_port)
    outside = _outside(settings)
    for part, port in (
        ("Stripe simulator", outside.stripe_port),
        ("mail sink", outside.mail_port),
        ("mail sink's SMTP", outside.smtp_port),
    ):
        check_port("127.0.0.1", port, part, base_port=base_port)
    check_port(settings.metrics_host, _metrics_port(settings), "metrics", base_port=base_port)


def _metrics_port(settings: Settings) -> int:
    return settings.metrics_port or settings.port + METRICS_PORT_OFFSET


def _metrics_url(settings: Settings) -> str:
    return f"{_url_of(settings.metrics_host, _metrics_port(settings))}/metrics"


def _start_postgres(
    settings: Settings, running: list[Running], on_the_way_down: ExitStack
) -> embedded.RunningServer:
    port = settings.port + POSTGRES_PORT_OFFSET
    with step(f"database server on 127.0.0.1:{port}"):
        server = embedded.start(settings.home, port, log=note)
    on_the_way_down.callback(_stop_postgres, server)
    running.append(
        Running(
            name="postgres",
            process=server.process,
            log_path=server.log_path,
            log_start_bytes=server.log_start_bytes,
        )
    )
    return server


def _check_server(database_url: str) -> None:
    """See that the server named by DATABASE_URL answers and is not too old."""
    import psycopg

    try:
        with psycopg.connect(database_url, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
            major = connection.info.server_version // 10_000
    except psycopg.Error as error:
        reason = _without_password(" ".join(str(error).split()), database_url)
        raise UpRefused(
            f"the server of DATABASE_URL does not let us in ({reason}); start it or correct "
            f"the address, or unset DATABASE_URL to use the one that comes with Fieldfare"
        ) from None
    if major < OLDEST_SERVER:
        raise UpRefused(
            f"the server of DATABASE_URL is PostgreSQL {major}; "
            f"use {OLDEST_SERVER} or newer, or unset DATABASE_URL"
        )


def _without_password(text: str, database_url: str) -> str:
    password = urlsplit(database_url).password
    return text.replace(password, "***") if password else text


def _prepare_database(database_url: str, home: Path, outside: _Outside) -> "DemoAccess":
    from fieldfare.cli.demo import seed_demo
    from fieldfare.db.migrate import migrate

    with step("schema is up to date"):
        migrate(database_url)
    with step("demo data is there"):
        return seed_demo(
            database_url, home, stripe_key=DEMO_STRIPE_KEY, stripe_url=outside.stripe_url
        )


def _stop(one: Running, home: Path) -> None:
    with step(f"{one.name} stopped"):
        stop_part(one, home)


def _stop_postgres(server: embedded.RunningServer) -> None:
    with step("database server stopped"):
        embedded.stop(server, log=note)


def _base_url(settings: Settings) -> str:
    return _url_of(settings.host, settings.port)


def _url_of(host: str, port: int) -> str:
    with suppress(ValueError):  # a name is no address
        address = ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _publish(
    settings: Settings,
    database_url: str,
    access: "DemoAccess",
    outside: _Outside,
    running: list[Running],
) -> None:
    write_demo(
        settings.home,
        {
            "base_url": _base_url(settings),
            "live_token": access.live_token,
            "test_token": access.test_token,
            "personal_token": access.personal_token,
            "second_team_token": access.second_team_token,
            "dashboard_email": access.dashboard_email,
            "dashboard_password": access.dashboard_password,
            "operator_email": access.operator_email,
            "operator_password": access.operator_password,
            "mail_url": outside.mail_url,
            "stripe_url": outside.stripe_url,
            "stripe_key": DEMO_STRIPE_KEY,
            "metrics_url": _metrics_url(settings),
            "database_url": database_url,
            "pid": os.getpid(),
            "pids": {one.name: one.process.pid for one in running},
        },
    )


def _greet(base_url: str, metrics_url: str, access: "DemoAccess", outside: _Outside) -> None:
    say(
        f"""
Fieldfare answers at {base_url}

  live token           {access.live_token}
  test token           {access.test_token}
  personal token       {access.personal_token}
  second team's token  {access.second_team_token}

Place the first order, 0.45 tonnes paid from credits:

  curl {base_url}/api/offset-orders \\
    -H 'Authorization: Bearer {access.live_token}' \\
    -H 'Content-Type: application/json' \\
    -d '{{"tons": 0.45, "paymentMethod": "credits"}}'

Leave out "paymentMethod" and it is charged to the demo team's test card.

  mail that was sent   {outside.mail_url}/inbox
  metrics              {metrics_url}

Ctrl-C stops everything; the data stays."""
    )
