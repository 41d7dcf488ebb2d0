"""A shop that charges cards: the API, the Stripe simulator behind it, and what works between them.

Everything goes over HTTP. The background (timers, events) is driven by the test, step by step, as
the worker would drive it; time passes for us and for the simulator together.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
import msgspec
import psycopg

from fieldfare.accounts import service as accounts
from fieldfare.accounts.service.cards import keep_card
from fieldfare.catalog.service import import_catalogue, load_preset
from fieldfare.cli.checks import CHECKS
from fieldfare.db.pool import Connection, Database, connection, open_database, transaction
from fieldfare.integrations.stripe.gateway import (
    StripeGateway,
    close_gateway,
    create_customer,
    open_gateway,
)
from fieldfare.kernel.errors import Unavailable
from fieldfare.notifications.service.outbox import take_due, tell
from fieldfare.orders.jobs import (
    UNSETTLED_TOPIC,
    settle_unsettled,
    settle_unsettled_refund,
    work_event,
)
from fieldfare.payments.jobs import (
    UNSETTLED_TOP_UP_TOPIC,
    settle_unsettled_top_up,
    settle_unsettled_top_up_refund,
)
from fieldfare.payments.model import ExchangeRate, OpenException
from fieldfare.payments.service.exceptions import list_exceptions
from fieldfare.payments.service.inbox import EVENT_TOPIC
from fieldfare.payments.service.rates import set_rate
from fieldfare.payments.service.refunds import REFUND_TOPIC
from fieldfare.payments.service.top_ups.refund_ends import UNSETTLED_TOP_UP_REFUND_TOPIC
from fieldfare.settings import Settings
from tests.support.certificates import CERTIFICATE_KEY
from tests.support.databases import Statements, new_database
from tests.support.server import running_api
from tests.support.stripe_simulator import WEBHOOK_SECRET, StripeSimulator, running_stripe

T = TypeVar("T")

PATH = "/api/offset-orders"
TOP_UP_PATH = "/api/credits/top-up"
TOP_UP_CENTS = 5_000
ORDER = {"tons": 0.45, "portfolioId": 2}
"""0.45 t of one project at $15.63 a tonne: 704 cents."""
ORDER_CENTS = 704
NOWHERE = "http://127.0.0.1:9/webhooks/stripe"
TIMEOUT_S = 1.5
Job = Callable[[Database, StripeGateway, UUID], Awaitable[str]]
JOBS: dict[str, Job] = {
    UNSETTLED_TOPIC: settle_unsettled,
    UNSETTLED_TOP_UP_TOPIC: settle_unsettled_top_up,
    UNSETTLED_TOP_UP_REFUND_TOPIC: settle_unsettled_top_up_refund,
    REFUND_TOPIC: settle_unsettled_refund,
    EVENT_TOPIC: work_event,
}
"""What works in the background, by the topic that it is due by."""
WORKED = 200
"""More rounds than any background work takes here."""
INTENTS = "/v1/payment_intents"


class Team(msgspec.Struct, frozen=True):
    """An account with a live token."""

    id: int
    token: str


class Stage:
    """A loop of its own with a pool and a gateway: what a worker would have."""

    def __init__(self, database_url: str, stripe: StripeSimulator) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="background")
        self._thread.start()
        self.gateway = open_gateway(stripe.secret_key, stripe.url, request_s=TIMEOUT_S)
        self.db: Database = self._run(
            open_database(database_url, pool_size=10, application="tests")
        )

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def do(self, work: Callable[[Database, StripeGateway], Awaitable[T]]) -> T:
        """Run something with the pool and the gateway."""

        async def run() -> T:
            return await work(self.db, self.gateway)

        done: T = self._run(run())
        return done

    def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run something in one transaction."""

        async def run(db: Database, _: StripeGateway) -> T:
            async with transaction(db) as conn:
                return await work(conn)

        return self.do(run)

    def close(self) -> None:
        """Give everything back."""
        self._run(close_gateway(self.gateway))
        self._run(self.db.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class CardShop:
    """The running API with the simulator behind it, and what a test does and reads there."""

    def __init__(self, base_url: str, database_url: str, stripe: StripeSimulator) -> None:
        self.base_url = base_url
        self.database_url = database_url
        self.stripe = stripe
        self.http = httpx.Client(base_url=base_url, timeout=30)
        self.stage = Stage(database_url, stripe)
        self._statements = Statements(database_url)

    def begin(self) -> None:
        """Forget what other tests did; events are held back until they are asked for."""
        self.stripe.reset()
        self.sql("delete from notifications.outbox")
        self.sql("delete from payments.inbox")
        self.sql("update payments.exception set resolved_at = now(), resolution = 'another test'"
                 " where resolved_at is null")  # fmt: skip
        for endpoint in self.stripe.truth("webhook_endpoints"):
            answer = self.stripe.http.post(
                f"/v1/webhook_endpoints/{endpoint['id']}",
                data={"url": f"{self.base_url}/webhooks/stripe"},
                headers={"Authorization": f"Bearer {self.stripe.secret_key}"},
            )
            assert answer.status_code == 200, answer.text
        self.stripe.post("events", paused=True)

    def move_to(self, base_url: str) -> None:
        """Be served by another process of the API from now on."""
        self.http.close()
        self.base_url = base_url
        self.http = httpx.Client(base_url=base_url, timeout=30)

    def close(self) -> None:
        """Give everything back."""
        self._statements.close()
        self.stage.close()
        self.http.close()

    # Who orders.

    def team(self, card: str | None = "pm_card_visa", currency: str = "USD") -> Team:
        """A new account with a card of this kind on file, or with none."""

        async def build(conn: Connection) -> Team:
            now = datetime.now(UTC)
            owner = await accounts.open_user(
                conn, name="Ada", billing_email="ada@tests.example", now=now
            )
            team_id = await accounts.open_team(
                conn, name="Team", owner_id=owner, billing_email="team@tests.example", now=now,
                currency=currency,
            )  # fmt: skip
            issued = await accounts.issue_token(conn, team_id, "team_live", "tests", now)
            return Team(team_id, issued.token)

        team = self.stage.write(build)
        if card is not None:
            self.give_card(team, card)
        return team

    def give_card(self, team: Team, kind: str) -> None:
        """Put a test card on file, as another customer of the processor."""

        async def give(db: Database, gateway: StripeGateway) -> None:
            card = await create_customer(
                gateway, name="Team", email="team@tests.example", payment_method=kind,
                key=uuid4().hex,
            )  # fmt: skip
            async with transaction(db) as conn:
                await keep_card(conn, team.id, card)

        self.stage.do(give)

    def set_rate(self, currency: str, rate: str, rate_on: date) -> None:
        """An operator's rate of a currency."""
        row = ExchangeRate(currency=currency, rate=Decimal(rate), rate_on=rate_on)
        self.stage.write(lambda conn: set_rate(conn, row, now=datetime.now(UTC), force=True))

    # What is ordered.

    def order(self, team: Team, key: str | None = None, **fields: Any) -> httpx.Response:
        """A card order of $7.04 unless `fields` say otherwise."""
        return self.post({**ORDER, **fields}, team, key)

    def top_up(
        self, team: Team, key: str | None = None, cents: int = TOP_UP_CENTS
    ) -> httpx.Response:
        """Credits by card, of $50.00 unless `cents` says otherwise."""
        return self.post({"amountInUsdCents": cents}, team, key, path=TOP_UP_PATH)

    def post(
        self, body: dict[str, Any], team: Team, key: str | None = None, *, path: str = PATH
    ) -> httpx.Response:
        """Any body to the path of offset orders, or another one."""
        headers = {"Authorization": f"Bearer {team.token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.http.post(path, json=body, headers=headers)

    def balance(self, team: Team) -> int:
        """The credits of an account, in US cents."""
        cents: int = self.get("/api/credits/balance", team).json()["creditBalanceUsdCents"]
        return cents

    def get(self, path: str, team: Team, **parameters: Any) -> httpx.Response:
        """GET as this account."""
        headers = {"Authorization": f"Bearer {team.token}"}
        return self.http.get(path, headers=headers, params=parameters or None)

    # What works behind it.

    def work(self) -> list[str]:
        """Do whatever is due, as the worker would; gives what each job said."""
        said: list[str] = []
        for _ in range(WORKED):
            due = self.stage.write(lambda conn: take_due(conn, tuple(JOBS), at_most=50))
            if not due:
                return said
            said += [self._run_job(row.topic, row.subject_id) for row in due]
        raise AssertionError(f"the background does not come to an end: {said[-5:]}")

    def _run_job(self, topic: str, subject_id: UUID) -> str:
        job = JOBS[topic]
        try:
            return self.stage.do(lambda db, gateway: job(db, gateway, subject_id))
        except Unavailable as refusal:
            delay = timedelta(minutes=1)
            self.stage.write(lambda conn: tell(conn, topic, subject_id, delay))
            return f"later: {refusal.code}"

    def settle_all(self) -> list[str]:
        """Let a minute pass, and then whatever is due run."""
        self.pass_time(timedelta(minutes=1, seconds=5))
        return self.work()

    def pass_time(self, span: timedelta) -> None:
        """Time passes: on the simulator's clock, and on all that we wrote."""
        self.stripe.advance(span.total_seconds())
        with psycopg.connect(self.database_url) as conn:
            for table, columns in AGED.items():
                changes = ", ".join(f"{column} = {column} - %(span)s" for column in columns)
                conn.execute(f"update {table} set {changes}", {"span": span})

    def flush_events(self) -> list[str]:
        """Send every event that was held back; gives the types that were taken."""
        sent = self.stripe.post("events/flush")["data"]
        return [one["type"] for one in sent if one["status"] == 200]

    def hear(self) -> list[str]:
        """Every event that was held back comes, and is worked on; gives what each job said."""
        self.flush_events()
        return self.work()

    # What is true.

    def sql(self, query: str, *parameters: Any) -> list[Any]:
        """The rows of a query; none for a statement without any."""
        return self._statements.run(query, parameters)

    def charges(self) -> list[dict[str, Any]]:
        """Every charge that the simulator truly made."""
        return [charge for charge in self.stripe.truth("charges") if charge["paid"]]

    def sent(self, method: str = "POST", path: str = INTENTS) -> list[dict[str, Any]]:
        """The calls that the simulator got of a kind."""
        return [
            call
            for call in self.stripe.truth("requests")
            if call["method"] == method and call["path"] == path
        ]

    def state(self, purchase_id: str) -> str:
        """An order's state in the books."""
        rows = self.sql("select state from orders.purchase where id = %s", purchase_id)
        return str(rows[0][0])

    def top_up_state(self, top_up_id: str) -> str:
        """A top-up's state in the books."""
        rows = self.sql("select state from payments.top_up where id = %s", top_up_id)
        return str(rows[0][0])

    def dispute(self, charge_id: str, outcome: str = "open", **fields: Any) -> str:
        """A charge is disputed, or the bank decides what is disputed; gives the dispute's id."""
        disputed = self.stripe.post("dispute", charge=charge_id, outcome=outcome, **fields)
        return str(disputed["id"])

    def owed(self, team: Team) -> int:
        """What an account owes, in US cents."""
        return int(self.get("/api/credits/balance", team).json()["owedUsdCents"])

    def exceptions(self) -> list[OpenException]:
        """What an operator has to look at."""
        return self.stage.write(list_exceptions)

    def findings(self) -> list[str]:
        """What `fieldfare verify` finds."""

        async def verify(db: Database, _: StripeGateway) -> list[str]:
            async with connection(db) as conn, conn.transaction(isolation="repeatable_read"):
                return [str(finding) for _, check in CHECKS async for finding in check(conn)]

        return self.stage.do(verify)

    def agree(self, *teams: Team) -> None:
        """Books and simulator tell the same: nothing pending, lost, charged or refunded twice."""
        rows = self.sql(
            "select id::text, state, charge_id, charge_minor, lower(currency)"
            " from orders.purchase where account_id = any(%s) and payment_method = 'stripe'",
            [team.id for team in teams],
        ) + self.sql(
            "select t.id::text, t.state, t.charge_id, p.amount_minor, lower(p.currency)"
            " from payments.top_up t join payments.payment p on p.subject_id = t.id"
            " where t.account_id = any(%s)",
            [team.id for team in teams],
        )
        assert "pending" not in {state for _, state, *_ in rows}, rows
        booked = sorted((row[2], row[0], row[3], row[4]) for row in rows if row[1] != "failed")
        made = sorted(
            (one["id"], one["metadata"].get("subject_id"), one["amount"], one["currency"])
            for one in self.charges()
        )
        assert booked == made, (booked, made)
        self.agree_on_refunds(*teams)
        findings = self.findings()
        assert not findings, findings

    def agree_on_refunds(self, *teams: Team) -> None:
        """Each refund that the processor made is on record as it stands there, and no other."""
        rows = self.sql(
            "select r.refund_id, p.charge_id, r.amount_minor, lower(r.currency), case"
            " when r.state = 'succeeded' and r.failure_code is not null then 'failed'"
            " else r.state end from payments.refund r"
            " join payments.payment p on p.id = r.payment_id"
            " where p.account_id = any(%s) and r.refund_id is not null",
            [team.id for team in teams],
        )
        made = sorted(
            (one["id"], one["charge"], one["amount"], one["currency"], one["status"])
            for one in self.stripe.truth("refunds")
        )
        assert sorted(rows) == made, (rows, made)


AGED = {
    "payments.payment": (
        "created_at",
        "first_sent_at",
        "last_sent_at",
        "leased_until",
        "settled_at",
    ),
    "payments.top_up": ("created_at", "settled_at"),
    "payments.refund": (
        "created_at",
        "first_sent_at",
        "last_sent_at",
        "leased_until",
        "settled_at",
    ),
    "payments.dispute": ("opened_at", "closed_at", "settled_at", "moved_at"),
    "payments.balance_transaction": ("recorded_at",),
    "payments.balance_import": ("complete_to",),
    "orders.purchase": ("created_at", "paid_at"),
    "orders.line": ("created_at",),
    "orders.refund": ("created_at", "settled_at"),
    "orders.refund_line": ("created_at",),
    "accounts.refill": ("changed_at",),
    "accounts.refill_failure": ("failed_at",),
    "notifications.outbox": ("created_at", "due_at"),
    "payments.inbox": ("received_at", "done_at"),
    "payments.exception": ("opened_at", "resolved_at"),
    "http.idempotency_key": ("created_at",),
}


def environment_of(shop: CardShop) -> dict[str, str]:
    """What a process of the product is started with to sell in this shop."""
    return {
        "FIELDFARE_STRIPE_KEY": shop.stripe.secret_key,
        "FIELDFARE_STRIPE_URL": shop.stripe.url,
        "FIELDFARE_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "FIELDFARE_STRIPE_TIMEOUT": "5",
        "FIELDFARE_STRIPE_CALLS_PER_SECOND": "1000",
        "FIELDFARE_CERTIFICATE_KEY": CERTIFICATE_KEY,
    }


async def open_long_ago(database_url: str) -> None:
    """Sell since long before the test, so that orders can grow old in it."""
    db = await open_database(database_url, pool_size=2, application="tests")
    try:
        async with transaction(db) as conn:
            since = datetime.now(UTC) - timedelta(days=3_650)
            await import_catalogue(conn, load_preset(), now=since, made_by="tests")
    finally:
        await db.close()


def settings_of(database_url: str, stripe: StripeSimulator) -> Settings:
    """What an API in this process is started with to sell on a database."""
    return Settings(
        database_url=database_url,
        pool_size=10,
        stripe_key=stripe.secret_key,
        stripe_url=stripe.url,
        stripe_timeout_s=TIMEOUT_S,
        stripe_calls_per_second=1_000,
        rate_per_second=1_000_000,
        rate_burst=1_000_000,
        stripe_webhook_secret=WEBHOOK_SECRET,
        certificate_key=CERTIFICATE_KEY,
    )


@contextmanager
def card_shop(server_url: str, template: str) -> Iterator[CardShop]:
    """An API with its simulator on a database of its own, for the tests of a module.

    A test that starts its own processes lets `base_url` and `http` be theirs: `CardShop.move_to`.
    """
    with (
        new_database(server_url, template=template, name="cards") as url,
        running_stripe(None, NOWHERE) as stripe,
    ):
        asyncio.run(open_long_ago(url))
        with running_api(settings_of(url, stripe)) as base_url:
            shop = CardShop(base_url, url, stripe)
            try:
                yield shop
            finally:
                shop.close()
