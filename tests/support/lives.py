"""A life full of canaries, for tests that look for persons after they were erased.

A canary is a word that stands nowhere else: it is put into every field that an account or an order
has for words about persons, and then every row of every table is looked through for it.
"""

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
from psycopg import sql

from fieldfare.accounts import service as accounts
from fieldfare.accounts.model import ProviderKind
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, transaction
from fieldfare.impact.jobs import rebuild_feed
from fieldfare.integrations.stripe.gateway import StripeGateway, create_customer
from fieldfare.ledger.service.credits import adjust_credits, get_wallet
from tests.support.cards import ORDER, PATH, CardShop, Team

CREDITS = 5_000


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
        self.shop.hear()
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
