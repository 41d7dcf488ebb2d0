"""`fieldfare erase`: persons are forgotten everywhere, and the books agree as before.

A canary is a word that stands nowhere else: it is put into every field that an account or an order
has for words about persons, and then every row of every table is looked through for it.
"""

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from fieldfare import jobs
from fieldfare.accounts import service as accounts
from fieldfare.accounts.model import ProviderKind
from fieldfare.catalog.service import load_catalogue
from fieldfare.cli.main import app
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.impact.jobs import rebuild_feed
from fieldfare.integrations.stripe.gateway import StripeGateway, create_customer
from fieldfare.jobs import JobContext
from fieldfare.kernel.money import dollars_from_cents
from fieldfare.ledger.service import adjusting
from fieldfare.ledger.service.credits import adjust_credits, get_wallet
from fieldfare.orders import store
from fieldfare.orders.model import Party
from fieldfare.orders.service import erasing
from fieldfare.settings import Settings
from tests.support.cards import ORDER, PATH, CardShop, Team, card_shop, environment_of
from tests.support.mail_sink import running_sink
from tests.support.placing import order_of, placing
from tests.support.waiting import wait_until

CREDITS = 5_000
CUSTOMERS = "/v1/customers"


@pytest.fixture(scope="module")
def opened(server_url: str, template: str) -> Iterator[CardShop]:
    """One shop for all tests here; each has accounts of its own."""
    with card_shop(server_url, template) as running:
        yield running


@pytest.fixture
def shop(opened: CardShop) -> CardShop:
    """The API with the simulator behind it, which has forgotten what other tests did."""
    opened.begin()
    return opened


# ------------------------------------------------------------------------ a life full of canaries


class Life:
    """A team and its owner, with a canary wherever a word about persons can stand."""

    def __init__(self, shop: CardShop) -> None:
        self.shop = shop
        self.canary = f"canary{uuid4().hex[:12]}"
        self.email = f"{self.canary}@canary.example"
        self.owner, self.team = shop.stage.write(self._open)
        shop.stage.do(self._give_card)
        self.metadata = {f"k-{self.canary[:20]}": self.canary, "plain": f"of {self.canary}"}
        self.groups = [
            self._order("stripe"),
            self._order("credits"),
            self._order("credits", "/api/tree-orders", amountOfTrees=1),
            self._order("stripe", "/api/project-orders", projectId=18, amountInUsdCents=100),
        ]
        shop.stage.do(self._hide)
        # The processor's own words name the person too.
        self.dispute = self.disputed(self.groups[0], "open")
        self.disputed(self.groups[0], "won")
        shop.stage.do(self._hear_of)

    async def _open(self, conn: Connection) -> tuple[int, Team]:
        now = datetime.now(UTC)
        name = f"Ada {self.canary}"
        owner = await accounts.open_user(conn, name=name, billing_email=self.email, now=now)
        await accounts.add_password(conn, owner, self.email, "four words do well", now)
        provider: ProviderKind = "google"
        await accounts.add_provider_identity(conn, owner, provider, self.canary, now)
        await accounts.make_operator(conn, owner, "support", now)
        await accounts.issue_token(conn, owner, "personal", f"of {self.canary}", now)
        team = await accounts.open_team(
            conn, name=name, owner_id=owner, billing_email=self.email, now=now
        )
        issued = await accounts.issue_token(conn, team, "team_live", f"of {self.canary}", now)
        await accounts.issue_token(conn, team, "team_test", f"of {self.canary}", now)
        await accounts.set_refill(conn, team, below_cents=1, amount_cents=500)
        await adjust_credits(conn, team, change_cents=CREDITS, reason="Goodwill")
        await conn.execute(
            "update accounts.account set is_public = true, image_url = $2, profile_url = $2,"
            " tax_id = $3, tax_address = $3 where id = any($1)",
            [owner, team],
            f"https://{self.canary}.example/",
            self.canary,
        )
        return owner, Team(team, issued.token)

    async def _give_card(self, db: Database, gateway: StripeGateway) -> None:
        card = await create_customer(
            gateway, name=f"Ada {self.canary}", email=self.email, payment_method="pm_card_visa",
            key=self.canary,
        )  # fmt: skip
        # As a card form sends it: the processor puts it into every charge, and into its events.
        await gateway.client.v1.payment_methods.update_async(
            card.payment_method,
            {"billing_details": {"name": self.canary, "email": self.email}},
        )
        async with transaction(db) as conn:
            await accounts.keep_card(conn, self.team.id, card)
        self.customer = card.customer

    def _order(self, method: str, path: str = PATH, **fields: Any) -> str:
        persons = {
            "note": f"For {self.canary}\nwith love",
            "onBehalfOfName": f"Grace {self.canary}",
            "onBehalfOfEmail": self.email,
            "metadata": self.metadata,
        }
        body = {"paymentMethod": method, **persons, **(fields or ORDER)}
        answer = self.shop.post(body, self.team, f"{method} {self.canary}", path=path)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def _hide(self, db: Database, _: StripeGateway) -> None:
        await rebuild_feed(db, datetime.now(UTC))
        async with transaction(db) as conn:
            await conn.execute(
                "insert into impact.hidden_order (purchase_id, reason, hidden_at)"
                " select id, $2, now() from orders.purchase where account_id = $1"
                " and payment_method = 'credits'",
                self.team.id,
                f"{self.canary} asked for it",
            )

    def disputed(self, charge_id: str, outcome: str) -> str:
        """A charge is disputed, or that is decided; gives the dispute's id."""
        dispute_id = self.shop.dispute(charge_id, outcome)
        self.shop.flush_events()
        self.shop.work()
        return dispute_id

    async def _hear_of(self, db: Database, _: StripeGateway) -> None:
        """Events that were worked on: a refund's names the customer, a dispute's only itself."""
        said = (
            ("charge.refunded", {"customer": self.customer, "name": self.canary}),
            ("charge.dispute.closed", {"id": self.dispute, "evidence": {"name": self.canary}}),
        )
        async with transaction(db) as conn:
            for kind, subject in said:
                await conn.execute(
                    "insert into payments.inbox (id, event_id, kind, payload, received_at, done_at)"
                    " values ($1, $2, $3, $4, now(), now())",
                    new_id(),
                    f"evt_{uuid4().hex}",
                    kind,
                    msgspec.json.encode({"data": {"object": subject}}),
                )

    def spend(self) -> None:
        """Leave no credits."""

        async def adjust(conn: Connection) -> None:
            cents = (await get_wallet(conn, self.team.id)).balance_cents
            await adjust_credits(conn, self.team.id, change_cents=-cents, reason="Paid out")

        self.shop.stage.write(adjust)

    def where_it_is(self) -> set[str]:
        """The tables in which the canary stands, in whatever dress."""
        dresses = [
            self.canary,
            self.canary.encode().hex(),
            base64.b64encode(self.canary.encode()).decode(),
        ]
        found = set()
        with psycopg.connect(self.shop.database_url) as conn:
            tables = conn.execute(
                "select schemaname, tablename from pg_tables"
                " where schemaname not in ('pg_catalog', 'information_schema')"
            ).fetchall()
            for schema, table in tables:
                query = sql.SQL("select t::text from {} t").format(sql.Identifier(schema, table))
                for (text,) in conn.execute(query):
                    if any(dress in text.lower() for dress in dresses):
                        found.add(f"{schema}.{table}".partition("_first")[0][:32])
        return found


@pytest.fixture
def life(shop: CardShop) -> Life:
    """A team and its owner."""
    return Life(shop)


def environment(shop: CardShop) -> dict[str, str | None]:
    """What a command is started with."""
    return {
        "DATABASE_URL": shop.database_url,
        "DATABASE_URL_FILE": None,
        "FIELDFARE_ADJUST_ALONE_UP_TO": None,
        **environment_of(shop),
    }


def erase(shop: CardShop, *words: object, given: str = "") -> Any:
    """How `fieldfare erase` ends."""
    arguments = ["erase", *map(str, words)]
    return CliRunner().invoke(app, arguments, input=given, env=environment(shop))


def erased(shop: CardShop, *words: object) -> str:
    """What it says when nothing is left to do."""
    result = erase(shop, *words, "--yes")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return str(result.stdout)


def refused(shop: CardShop, *words: object) -> str:
    """The line on stderr of one that was refused."""
    result = erase(shop, *words, "--yes")
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return str(line)


def books(shop: CardShop, account_id: int) -> list[Any]:
    """All that stands in the books of an account."""
    return [
        shop.sql(query, account_id)
        for query in (
            "select certified_mg, trees, owed_cents from ledger.wallet where account_id = %s",
            "select id, state, amount_cents, charge_minor, mass_mg, charge_id, certificate_slug"
            " from orders.purchase where account_id = %s order by id",
            "select id, amount_micro, mass_mg from orders.line where account_id = %s order by id",
            "select id, amount_minor, state, charge_id, customer from payments.payment"
            " where account_id = %s order by id",
            "select id, number, amount_cents, description from ledger.entry"
            " where account_id = %s order by number",
        )
    ]


# ------------------------------------------------------------------------------------ an account


def test_of_an_account_no_word_is_left_and_every_figure(shop: CardShop, life: Life) -> None:
    assert {
        "accounts.account", "accounts.identity", "accounts.token", "impact.feed",
        "impact.hidden_order", "orders.party", "orders.tag", "payments.inbox",
    } <= life.where_it_is()  # fmt: skip
    life.spend()
    before = books(shop, life.team.id)
    total = shop.get("/api/offset-orders", life.team).json()["stats"]["totalTons"]
    assert total > 0
    said = erased(shop, "--account", life.team.id)
    for words in ("tokens 2,", "memberships 1,", "names of 4,", "find them by 8."):
        assert words in said
    assert "Customers deleted at the card processor: 1" in said
    left = erased(shop, "--account", life.owner)
    for words in ("tokens 1,", "log-ins 2,", "operator's roles 1."):
        assert words in left
    shop.flush_events()
    shop.work()
    assert life.where_it_is() == set()
    assert books(shop, life.team.id) == before
    assert shop.findings() == []
    assert (
        shop.sql(
            "select name, billing_email, stripe_customer, stripe_payment_method, is_public,"
            " erased_at is not null from accounts.account where id = any(%s)",
            [life.owner, life.team.id],
        )
        == [("Erased account", None, None, None, False, True)] * 2
    )
    assert life.canary not in str(shop.stripe.truth("customers"))
    shown = shop.http.get("/api/offset-orders/public").text
    assert life.canary not in shown


def test_tokens_end_within_a_second_everywhere(shop: CardShop, life: Life) -> None:
    life.spend()
    assert shop.get("/api/credits/balance", life.team).status_code == 200
    erased(shop, "--account", life.team.id)
    # The command waits until every process knows, so no request is let in any more.
    assert shop.get("/api/credits/balance", life.team).status_code == 403
    assert shop.order(life.team).status_code == 403


def test_the_public_feed_is_built_anew(shop: CardShop, life: Life) -> None:
    life.spend()
    group = shop.sql(
        "select p.id from orders.purchase p where account_id = %s and payment_method = 'stripe'",
        life.team.id,
    )
    assert group
    assert life.canary in shop.http.get("/api/offset-orders/public").text
    erased(shop, "--account", life.team.id)
    wait_until(lambda: life.canary not in shop.http.get("/api/offset-orders/public").text)
    assert "Anonymous" in shop.http.get("/api/offset-orders/public").text


def test_twice_is_once(shop: CardShop, life: Life) -> None:
    life.spend()
    erased(shop, "--account", life.team.id)
    before = books(shop, life.team.id)
    again = erased(shop, "--account", life.team.id)
    for words in (
        "closed before",
        "tokens 0,",
        "names of 0,",
        "deleted at the card processor: 0",
    ):
        assert words in again
    assert books(shop, life.team.id) == before
    assert shop.findings() == []


def test_a_receipt_that_is_due_is_not_sent_any_more(
    shop: CardShop, life: Life, tmp_path: Path
) -> None:
    asked = shop.order(life.team, paymentMethod="credits", sendReceiptEmail=True)
    purchase_id = UUID(asked.json()["purchaseId"])
    life.spend()
    erased(shop, "--account", life.team.id)
    with running_sink(tmp_path) as sink:

        async def send_twice(db: Database, gateway: StripeGateway) -> None:
            ctx = JobContext(db=db, settings=Settings(), gateway=gateway, mail=sink.server)
            await jobs.send_due_receipt(ctx, purchase_id)
            await jobs.send_due_receipt(ctx, purchase_id)

        shop.stage.do(send_twice)
        assert sink.mails() == []
    assert shop.sql("select * from notifications.sent where subject_id = %s", purchase_id) == []


def test_an_account_with_many_orders_is_erased_in_pages(shop: CardShop) -> None:
    team = shop.team(None)
    many = 2 * erasing.PAGE_ROWS + 1
    party = Party(note="For Ada", metadata={"who": "Ada"})

    async def order_many(db: Database, _: StripeGateway) -> None:
        catalogue = await load_catalogue(db, datetime.now(UTC))
        async with transaction(db) as conn:
            await adjust_credits(conn, team.id, change_cents=many, reason="Goodwill")
            for start in range(0, many, 500):
                orders = [
                    order_of(catalogue, team.id, 1_000, party=party)
                    for _ in range(min(500, many - start))
                ]
                await store.place_on_credit(conn, [placing(order) for order in orders])

    shop.stage.do(order_many)
    said = erased(shop, "--account", team.id)
    assert f"names of {many}," in said
    assert f"find them by {many}." in said
    rest = (
        "select count(*) from {} where {} in (select id from orders.purchase where account_id=%s)"
    )
    assert shop.sql(rest.format("orders.party", "purchase_id"), team.id) == [(0,)]
    assert shop.sql(rest.format("orders.tag", "purchase_id"), team.id) == [(0,)]


# ---------------------------------------------------------------------- what stands in the way


def test_money_under_way_comes_first(shop: CardShop, life: Life) -> None:
    life.spend()
    shop.stripe.fault("reset", when="before", path="/v1/payment_intents", method="POST", count=9)
    shop.stripe.fault("500", when="before", path="/v1/payment_intents", method="GET", count=9)
    assert shop.order(life.team).status_code == 502
    shop.stripe.delete("faults")
    line = refused(shop, "--account", life.team.id)
    assert "payments 1," in line
    assert "Try again once they are settled" in line
    shop.settle_all()
    charge_id = shop.order(life.team).json()["id"]
    life.disputed(charge_id, "open")
    assert "disputes 1." in refused(shop, "--account", life.team.id)
    assert shop.sql("select erased_at from accounts.account where id = %s", life.team.id) == [
        (None,)
    ]
    life.disputed(charge_id, "won")
    erased(shop, "--account", life.team.id)


def test_credits_are_given_up_only_on_request_and_large_sums_by_two(shop: CardShop) -> None:
    team = shop.team(None)

    def give(cents: int) -> None:
        shop.stage.write(
            lambda conn: adjust_credits(conn, team.id, change_cents=cents, reason="Goodwill")
        )

    give(10_001)
    for words in (("--forfeit",), ()):
        line = refused(shop, "--account", team.id, *words)
        assert "two operators" in line
        assert f"--by -{dollars_from_cents(10_001):.2f}" in line
    give(-1)
    assert "say --forfeit" in refused(shop, "--account", team.id)
    assert "given up: $100.00" in erased(shop, "--account", team.id, "--forfeit")
    assert shop.sql("select balance_cents from ledger.wallet where account_id = %s", team.id) == [
        (0,)
    ]
    assert shop.findings() == []


def test_an_adjustment_that_waits_is_decided_first(shop: CardShop, life: Life) -> None:
    life.spend()

    async def ask(conn: Connection) -> UUID | None:
        await accounts.make_operator(conn, life.owner, "bookkeeper", datetime.now(UTC))
        asked = await adjusting.adjust(
            conn, life.team.id, change_cents=50_000, reason="Goodwill", operator_id=life.owner,
            alone_up_to_cents=0,
        )  # fmt: skip
        return asked.request_id

    request_id = shop.stage.write(ask)
    assert request_id is not None
    assert "credits requests" in refused(shop, "--account", life.team.id)
    shop.stage.write(lambda conn: adjusting.refuse(conn, request_id, life.owner, "A slip"))
    erased(shop, "--account", life.team.id)


def test_a_team_keeps_an_owner(shop: CardShop, life: Life) -> None:
    line = refused(shop, "--account", life.owner)
    assert f"only owner of team {life.team.id}" in line
    assert "add-member" in line

    async def let_in(conn: Connection) -> int:
        now = datetime.now(UTC)
        bob = await accounts.open_user(conn, name="Bob", billing_email="bob@b.example", now=now)
        await accounts.add_member(conn, life.team.id, bob, "owner", now)
        return bob

    bob = shop.stage.write(let_in)
    erased(shop, "--account", life.owner)
    assert f"only owner of team {life.team.id}" in refused(shop, "--account", bob)


def test_what_is_asked_for_must_be_there_and_agreed_to(shop: CardShop) -> None:
    team = shop.team(None)
    assert "no account 987654321" in refused(shop, "--account", 987654321)
    assert "no such order" in refused(shop, "--group", "ch_none")
    assert "no such order" in refused(shop, "--group", uuid4())
    for words in ((), ("--group", "ch_1", "--account", "1001"), ("--account", "0")):
        assert erase(shop, *words).exit_code == 2
    for answer in ("", "n\n", "\n"):
        result = erase(shop, "--account", team.id, given=answer)
        assert result.exit_code == 1
        assert "nothing was erased" in result.stderr
        assert "closed" not in result.stdout
    assert shop.sql("select erased_at from accounts.account where id = %s", team.id) == [(None,)]
    assert erase(shop, "--account", team.id, given="y\n").exit_code == 0


# ------------------------------------------------------------------------------------ half way


def test_without_a_key_or_an_answer_of_the_processor_it_says_so(shop: CardShop, life: Life) -> None:
    life.spend()
    words = ["erase", "--account", str(life.team.id), "--yes"]
    without = environment(shop) | {"FIELDFARE_STRIPE_KEY": None}
    keyless = CliRunner().invoke(app, words, env=without)
    assert keyless.exit_code == 1
    assert life.customer in keyless.stderr
    assert "FIELDFARE_STRIPE_KEY" in keyless.stderr
    shop.stripe.fault(
        "500", when="before", path=f"{CUSTOMERS}/{life.customer}", method="DELETE", count=9
    )
    away = erase(shop, "--account", life.team.id, "--yes")
    shop.stripe.delete("faults")
    assert away.exit_code == 1, away.output
    assert f"did not delete the customer {life.customer}" in away.stderr
    # All that lies here is gone by then, but for the id by which it is found there.
    assert life.where_it_is() <= {"accounts.account", "accounts.identity", "accounts.token"}
    assert shop.sql("select stripe_customer from accounts.account where id = %s", life.team.id) == [
        (life.customer,)
    ]
    said = erased(shop, "--account", life.team.id)
    assert "Customers deleted at the card processor: 1" in said


def test_an_event_that_waits_is_worked_on_first(shop: CardShop) -> None:
    shop.stripe.post("events", paused=True)
    life = Life(shop)
    life.spend()
    assert shop.order(life.team).status_code == 200
    assert "payment_intent.succeeded" in shop.flush_events()
    early = erase(shop, "--account", life.team.id, "--yes")
    assert early.exit_code == 1
    assert "not worked on yet" in early.stderr
    assert "payments.inbox" in life.where_it_is()
    shop.work()
    erased(shop, "--account", life.team.id)
    shop.flush_events()
    shop.work()
    erased(shop, "--account", life.owner)
    assert life.where_it_is() == set()


class Running:
    """The command in a process of its own, to be killed."""

    def __init__(self, shop: CardShop, account_id: int) -> None:
        env = {name: value for name, value in environment(shop).items() if value is not None}
        words = ("erase", "--account", str(account_id), "--yes")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fieldfare.cli.main", *words],
            env={**os.environ, "FIELDFARE_STRIPE_TIMEOUT": "25", **env},
            stdout=subprocess.PIPE,
            text=True,
        )

    def kill_after(self, line: str) -> None:
        """`kill -9` as soon as it has said this."""
        said = ""
        with self.process:
            assert self.process.stdout is not None
            while line not in said and (read := self.process.stdout.readline()):
                said += read
            self.process.kill()
        assert line in said


def test_a_kill_half_way_leaves_the_rest_to_the_next_run(shop: CardShop, life: Life) -> None:
    life.spend()
    before = books(shop, life.team.id)
    Running(shop, life.team.id).kill_after("is closed")
    assert "orders.party" in life.where_it_is()
    assert shop.order(life.team).status_code == 403
    Running(shop, life.team.id).kill_after("names of 4,")
    assert "orders.party" not in life.where_it_is()
    shop.stripe.fault(
        "hang", when="after", s=20, path=f"{CUSTOMERS}/{life.customer}", method="DELETE"
    )
    Running(shop, life.team.id).kill_after("built anew")
    shop.stripe.delete("faults")
    erased(shop, "--account", life.team.id)
    erased(shop, "--account", life.owner)
    shop.flush_events()
    shop.work()
    assert life.where_it_is() == set()
    assert books(shop, life.team.id) == before
    assert shop.findings() == []


# -------------------------------------------------------------------------------------- an order


def test_of_an_order_nothing_but_figures_is_left(shop: CardShop, life: Life) -> None:
    card, credit, trees, project = life.groups
    before = books(shop, life.team.id)
    assert "names of 1," in erased(shop, "--group", credit)
    assert "names of 0," in erased(shop, "--group", credit)
    rows = shop.get("/api/offset-orders", life.team).json()["offsetOrders"]
    words = ("note", "on_behalf_of_name", "on_behalf_of_email", "metadata")
    assert {row["order_group_id"] for row in rows} == {card, credit, project}
    for row in rows:
        said = [row[word] for word in words]
        if row["order_group_id"] == credit:
            assert said == [None, None, None, {}]
        else:
            assert all(said)
    found = shop.get("/api/offset-orders", life.team, **{"metadata[plain]": f"of {life.canary}"})
    assert {row["order_group_id"] for row in found.json()["offsetOrders"]} == {card, project}
    (purchase_id,) = shop.sql("select purchase_id from orders.charge where charge_id = %s", card)
    for group in (purchase_id[0], trees, project):
        assert "names of 1," in erased(shop, "--group", group)
    assert not {"orders.party", "orders.tag", "impact.hidden_order"} & life.where_it_is()
    assert books(shop, life.team.id) == before
    assert shop.findings() == []


async def test_erasing_by_two_at_once(db: Database) -> None:
    """Two operators, or one who is impatient."""
    purchase = new_id()

    async def erase_it() -> int:
        async with transaction(db) as conn:
            return (await erasing.erase_order(conn, purchase)).parties

    async with connection(db) as conn:
        await conn.execute(
            "insert into orders.party (purchase_id, note) values ($1, 'For Ada')", purchase
        )
    assert sum(await asyncio.gather(*(erase_it() for _ in range(5)))) == 1
