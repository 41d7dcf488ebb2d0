"""What every command does before and after its work: find the database, and tell of a failure.

What must hold: whatever stands in an operator's way is told in one line on stderr that names the
next step, with exit code 1. A traceback means a defect of ours.

What drives the database and the card processor is loaded by the functions that open them: a command
that only tells how it is called needs neither.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import typer

from fieldfare.cli.demo_file import demo_path
from fieldfare.db.errors import BackupRefused, MigrationRefused
from fieldfare.kernel.errors import ProblemError
from fieldfare.settings import Settings, SettingsRefused, read_settings

if TYPE_CHECKING:
    from fieldfare.db.pool import Connection, Database
    from fieldfare.integrations.stripe.gateway import StripeGateway

T = TypeVar("T")
REFUSALS = (ProblemError, SettingsRefused, MigrationRefused, BackupRefused)


class _Demo(msgspec.Struct):
    """The part of the demo's own description that a command needs."""

    database_url: str
    stripe_url: str | None = None
    stripe_key: str | None = None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Carry out a command; a refusal becomes one line on stderr and exit code 1."""
    try:
        return asyncio.run(work)
    except REFUSALS as refusal:
        typer.echo(f"fieldfare: {' '.join(str(refusal).split())}", err=True)
        raise typer.Exit(1) from refusal


@asynccontextmanager
async def open_cli_database() -> "AsyncIterator[Database]":
    """The database that commands work on: `DATABASE_URL`, or the running demo's.

    Raises `SettingsRefused` if there is neither, `MigrationRefused` if it cannot be reached or does
    not have this program's schema.
    """
    from fieldfare.db.revision import open_migrated_database
    from fieldfare.telemetry.snapshots import kept_once

    settings = read_settings()
    url = database_url(settings)
    db = await open_migrated_database(url, pool_size=2, application="fieldfare-cli")
    try:
        # What a command moves counts as well: a refund is one, whoever makes it.
        with kept_once(settings, "command"):
            yield db
    finally:
        await db.close()


@asynccontextmanager
async def open_cli_connection() -> "AsyncIterator[Connection]":
    """One connection to it, for single statements; each commits by itself."""
    from fieldfare.db.pool import connection

    async with open_cli_database() as db, connection(db) as conn:
        yield conn


@asynccontextmanager
async def open_cli_transaction() -> "AsyncIterator[Connection]":
    """One transaction on it: it commits at the end, or undoes everything."""
    from fieldfare.db.pool import transaction

    async with open_cli_database() as db, transaction(db) as conn:
        yield conn


@asynccontextmanager
async def open_cli_gateway(
    db: "Database", *, while_closed: bool = False
) -> "AsyncIterator[StripeGateway]":
    """A way to the card processor: by FIELDFARE_STRIPE_KEY, or the running demo's.

    It keeps the pace of the processes that work on `db`, as the background does. `while_closed` is
    for what only reads there; anything else is refused with `ShopClosed` while the shop is closed.

    The demo's goes with the demo's database only: its charges have no place in other books. Raises
    `SettingsRefused` if there is neither.
    """
    from fieldfare.db.closing import refuse_closed
    from fieldfare.db.pool import connection
    from fieldfare.integrations.stripe.gateway import close_gateway, open_gateway
    from fieldfare.payments.service.pace import pace_of_background

    if not while_closed:
        async with connection(db) as conn:
            await refuse_closed(conn)
    settings = read_settings()
    key, url = settings.stripe_key, settings.stripe_url
    if key is None:
        key, url = _demo_gateway(settings)
    pace = pace_of_background(db, settings.stripe_calls_per_second)
    gateway = open_gateway(key, url, request_s=settings.stripe_timeout_s, pace=pace)
    try:
        yield gateway
    finally:
        await close_gateway(gateway)


def _demo_gateway(settings: Settings) -> tuple[str, str]:
    """Key and address of the demo's processor."""
    refusal = SettingsRefused(
        "no card processor is known: set FIELDFARE_STRIPE_KEY, or start the demo with `make up`"
    )
    try:
        demo = msgspec.json.decode(demo_path(settings.home).read_bytes(), type=_Demo)
    except (OSError, msgspec.DecodeError) as error:
        raise refusal from error
    is_its_own = settings.database_url in (None, demo.database_url)
    if demo.stripe_key is None or demo.stripe_url is None or not is_its_own:
        raise refusal
    return demo.stripe_key, demo.stripe_url


def database_url(settings: Settings) -> str:
    """The address of the database; raises `SettingsRefused` if neither source names one."""
    if settings.database_url is not None:
        return settings.database_url
    demo = demo_path(settings.home)
    try:
        return msgspec.json.decode(demo.read_bytes(), type=_Demo).database_url
    except FileNotFoundError as error:
        raise _no_database(demo, "no demo runs there") from error
    except (OSError, msgspec.DecodeError) as error:
        raise _no_database(demo, f"it cannot be read: {error}") from error


def get_archive(settings: Settings) -> Path:
    """The folder of the database's log; raises `SettingsRefused` if none is named."""
    if settings.archive is None:
        raise SettingsRefused(
            "FIELDFARE_ARCHIVE is not set; name the folder that the database's log is kept in"
        )
    return settings.archive


def _no_database(demo: Path, reason: str) -> SettingsRefused:
    return SettingsRefused(
        "no database is known: set DATABASE_URL, or start the demo with `make up`; its addresses "
        f"are looked for in {demo} ({reason}), FIELDFARE_HOME names another folder"
    )
