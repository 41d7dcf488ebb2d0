"""The drill: orders, a backup, more orders, a disaster, and the way back, twice.

Once to an instant by base backup and log, once by the dump. Each time every order up to the
recovery point is there, the shop is closed until it was held against the processor, each charge
after the recovery point is then on the list of exceptions, and an order works.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest

from fieldfare.db import embedded
from fieldfare.db.backup.manifest import read_manifest
from fieldfare.db.migrate import migrate
from fieldfare.ledger.service.credits import adjust_credits
from tests.support.cards import (
    NOWHERE,
    ORDER,
    PATH,
    CardShop,
    Team,
    environment_of,
    open_long_ago,
)
from tests.support.databases import run_on_server, url_of
from tests.support.drill import (
    Customers,
    Shell,
    kill_server,
    orders_of,
    wait_until_streamed,
)
from tests.support.memory import quick_folder
from tests.support.processes import ApiProcess
from tests.support.stripe_simulator import StripeSimulator, running_stripe
from tests.support.waiting import wait_until

UNDURABLE = {"fsync": "off"}
CREDITS_CENTS = 500_000
ORDERS_BETWEEN = 8


class Stage:
    """What the drill is played on: a folder, the processor, an operator's shell."""

    def __init__(self, folder: Path, stripe: StripeSimulator) -> None:
        self.folder = folder
        self.stripe = stripe
        self.home = folder / "home"
        self.backups = folder / "backups"
        self.archive = folder / "archive"
        self.shell = Shell(
            folder,
            FIELDFARE_HOME=str(self.home),
            FIELDFARE_STRIPE_KEY=stripe.secret_key,
            FIELDFARE_STRIPE_URL=stripe.url,
            FIELDFARE_STRIPE_CALLS_PER_SECOND="1000",
        )

    @contextmanager
    def server(self) -> Iterator[embedded.RunningServer]:
        """The database server of the home."""
        server = embedded.start(self.home, embedded.free_port(), options=UNDURABLE)
        try:
            yield server
        finally:
            # One that was killed still has our lock on its home.
            embedded.stop(server)

    @contextmanager
    def serving(self, url: str) -> Iterator[tuple[ApiProcess, CardShop]]:
        """The API on a database, killed at the end, and what a test reads there."""
        shop = CardShop(NOWHERE, url, self.stripe)
        api = ApiProcess(url, self.folder / "api.log", environment=environment_of(shop))
        try:
            api.wait_until_ready()
            shop.move_to(api.base_url)
            yield api, shop
        finally:
            api.kill()
            shop.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with quick_folder(tmp_path) as folder, running_stripe(None) as stripe:
        yield Stage(folder, stripe)


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the time before the disaster."""

    team: Team
    customers: Customers
    backup: Path
    instant: datetime
    """What the server is to be brought back to."""


async def test_the_drill(stage: Stage) -> None:
    known = await _sell_until_the_disaster(stage)
    said = stage.shell.say

    said("", "# The server's data is gone. To the instant, by base backup and log:")
    to = known.instant.isoformat().replace("+00:00", "Z")
    stage.shell.run(
        "restore",
        str(known.backup),
        "--to",
        to,
        environment={"FIELDFARE_ARCHIVE": str(stage.archive)},
    )
    with stage.server() as server:
        _is_back(stage, server.url, known, known.instant)
        said("", "# By the dump alone, into an empty database of another name:")
        run_on_server(server.url, "create database second")
        second = url_of(server.url, "second")
        stage.shell.run("restore", str(known.backup), environment={"DATABASE_URL": second})
        _is_back(stage, second, known, read_manifest(known.backup).taken_at)
    _holds_no_secret(stage, server.url, known)
    # Seen with `pytest -s` only.
    sys.stdout.write("\n".join(["", *stage.shell.transcript, ""]))


async def _sell_until_the_disaster(stage: Stage) -> Remembered:
    with stage.server() as server, ExitStack() as until_the_disaster:
        url = server.url
        migrate(url)
        await open_long_ago(url)
        _, shop = until_the_disaster.enter_context(stage.serving(url))
        team = shop.team()
        shop.stage.write(
            lambda conn: adjust_credits(
                conn, team.id, change_cents=CREDITS_CENTS, reason="The drill"
            )
        )
        archive = {"DATABASE_URL": url, "FIELDFARE_ARCHIVE": str(stage.archive)}
        until_the_disaster.enter_context(stage.shell.running("archive", environment=archive))
        wait_until(lambda: _is_archived(url), within_s=30)
        with Customers(shop.base_url, team).ordering() as customers:
            customers.wait_for(ORDERS_BETWEEN)
            made = stage.shell.run("backup", str(stage.backups), "--keep", "3", environment=archive)
            customers.wait_for(ORDERS_BETWEEN)
            instant = datetime.now(UTC)
            customers.wait_for(ORDERS_BETWEEN)
            wait_until_streamed(url)
        assert not customers.refused
        # One of the last is given back, which the restored books will not know either.
        last = next(one.id for one in customers.answered[::-1] if one.id.startswith("ch_"))
        _refund_in_the_dashboard(stage.stripe, last)
        kill_server(server.pid)
    shutil.rmtree(stage.home / "postgres" / "data")
    backup = Path(made.strip().splitlines()[-1])
    return Remembered(team=team, customers=customers, backup=backup, instant=instant)


def _is_archived(url: str) -> bool:
    with psycopg.connect(url) as conn:
        return bool(conn.execute("select from pg_replication_slots where active").fetchall())


def _refund_in_the_dashboard(stripe: StripeSimulator, charge_id: str) -> None:
    answer = stripe.http.post(
        "/v1/refunds",
        data={"charge": charge_id},
        headers={"Authorization": f"Bearer {stripe.secret_key}"},
    )
    assert answer.status_code == 200, answer.text


def _is_back(stage: Stage, url: str, known: Remembered, point: datetime) -> None:
    """The restored database: whole up to `point`, closed, held against the processor, opened."""
    began = datetime.min.replace(tzinfo=UTC)
    back = orders_of(url)
    due = {one.id for one in known.customers.told_between(began, point)}
    gone = {one.id for one in known.customers.told_between(point, datetime.max.replace(tzinfo=UTC))}
    assert due <= back, "an order up to the recovery point is lost"
    assert len(due) >= ORDERS_BETWEEN
    assert len(gone) >= ORDERS_BETWEEN
    assert not gone & back
    with stage.serving(url) as (api, shop):
        _is_closed(shop, known.team)
        sent = len(shop.sent())
        opened = stage.shell.run("open", environment={"DATABASE_URL": url})
        assert "The shop is open." in opened
        assert len(shop.sent()) == sent, "something was charged"
        wait_until(lambda: httpx.get(f"{api.base_url}/readyz").json()["status"] == "ready")

        unknown = {charge["id"] for charge in shop.charges()} - orders_of(url)
        assert {one for one in gone if one.startswith("ch_")} <= unknown
        listed = {one.subject for one in shop.exceptions() if one.kind == "charge_without_order"}
        assert listed == unknown
        refunds = {one["id"] for one in stage.stripe.truth("refunds")}
        assert refunds <= {one.subject for one in shop.exceptions()}
        for fields in ({}, {"paymentMethod": "credits"}):
            answer = shop.order(known.team, **fields)
            assert answer.status_code == 200, answer.text
            assert answer.json()["id"] in orders_of(url)
        assert not shop.findings()


def _is_closed(shop: CardShop, team: Team) -> None:
    headers = {"Authorization": f"Bearer {team.token}"}
    for answer in (
        shop.http.post(PATH, json=ORDER, headers=headers),
        shop.http.get(PATH, headers=headers),
        shop.http.get("/api/portfolios"),
        shop.http.post("/webhooks/stripe", content=b"{}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "closed")
        assert int(answer.headers["retry-after"]) >= 10
    assert shop.http.get("/healthz").status_code == 200
    assert shop.http.get("/readyz").json()["status"] == "closed"


def _holds_no_secret(stage: Stage, url: str, known: Remembered) -> None:
    """Of the backup only its owner may read anything, and its manifest has nothing to hide."""
    files = [known.backup, *known.backup.rglob("*")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    told = (known.backup / "manifest.json").read_text() + "\n".join(stage.shell.transcript)
    password = str(psycopg.conninfo.conninfo_to_dict(url)["password"])
    for secret in (password, stage.stripe.secret_key):
        assert secret not in told
    assert timedelta(0) < known.instant - read_manifest(known.backup).taken_at
