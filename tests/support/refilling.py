"""A worker that refills in a card shop, driven by the test, and what a test reads of it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from fieldfare import jobs
from fieldfare.accounts import service as accounts
from fieldfare.db.pool import Connection, Database, open_database
from fieldfare.integrations.stripe.gateway import StripeGateway, close_gateway, open_gateway
from fieldfare.jobs import JobContext, TryLater
from fieldfare.ledger.service.credits import adjust_credits
from fieldfare.notifications.service.outbox import take_due, tell
from fieldfare.payments.service.refills import refill_if_due
from fieldfare.settings import Settings
from tests.support.cards import ORDER_CENTS, WORKED, CardShop, Team
from tests.support.mail_sink import MailSink

BELOW_CENTS, AMOUNT_CENTS = 5_000, 20_000
START_CENTS = BELOW_CENTS + ORDER_CENTS - 1
"""One order takes this below the bound."""
TOPICS = {topic.name: topic for topic in jobs.TOPICS}


class Refilling:
    """A shop with a worker and a mail sink behind it."""

    def __init__(self, shop: CardShop, sink: MailSink) -> None:
        self.shop = shop
        self.sink = sink
        self.per_day = 5

    # Who runs low.

    def team(
        self,
        card: str | None = "pm_card_visa",
        *,
        cents: int = START_CENTS,
        currency: str = "USD",
        amount_cents: int = AMOUNT_CENTS,
    ) -> Team:
        """An account with so many credits, which is refilled below $50.00."""
        team = self.shop.team(card, currency)
        self.give(team, cents)
        self.set_refill(team, amount_cents)
        return team

    def set_refill(self, team: Team, amount_cents: int = AMOUNT_CENTS) -> None:
        """As the account's owner wishes it."""

        async def write(conn: Connection) -> None:
            await accounts.set_refill(
                conn, team.id, below_cents=BELOW_CENTS, amount_cents=amount_cents
            )

        self.shop.stage.write(write)

    def give(self, team: Team, cents: int) -> None:
        """Change a balance by hand, which tells nobody of a refill."""

        async def write(conn: Connection) -> None:
            await adjust_credits(conn, team.id, change_cents=cents, reason="For tests")

        self.shop.stage.write(write)

    def order(self, team: Team) -> None:
        """An order of $7.04 from credits."""
        answer = self.shop.order(team, paymentMethod="credits")
        assert answer.status_code == 200, answer.text

    # What works behind it.

    def context(self, db: Database, gateway: StripeGateway) -> JobContext:
        """What the worker's jobs work with."""
        settings = Settings(refills_per_day=self.per_day, seller_name="Tests")
        return JobContext(db=db, settings=settings, gateway=gateway, mail=self.sink.server)

    def do(self, job: Callable[[JobContext], Awaitable[Any]]) -> Any:
        """Run a job."""
        return self.shop.stage.do(lambda db, gateway: job(self.context(db, gateway)))

    def work(self, topics: Sequence[str] = tuple(TOPICS)) -> None:
        """Do whatever is due of these topics, as the worker would."""
        for _ in range(WORKED):
            due = self.shop.stage.write(lambda conn: take_due(conn, topics, at_most=50))
            if not due:
                return
            # They are taken in any order; so that a run can be repeated, the oldest comes first.
            for row in sorted(due, key=lambda row: row.id):
                self._run(row.topic, row.subject_id)
        raise AssertionError("the background does not come to an end")

    def _run(self, topic: str, subject_id: UUID) -> None:
        try:
            self.do(lambda ctx: TOPICS[topic].run(ctx, subject_id))
        except TryLater as later:
            delay = later.delay
            self.shop.stage.write(lambda conn: tell(conn, topic, subject_id, delay))

    def pass_hours(self, hours: int) -> None:
        """Let hours pass, and then whatever is due run."""
        self.shop.pass_time(timedelta(hours=hours, seconds=1))
        self.work()

    def sweep(self) -> dict[str, int]:
        """The schedule that looks at every account."""
        counts: dict[str, int] = self.do(jobs.refill_low_accounts)
        return counts

    def try_at_once(self, team: Team, times: int) -> list[str]:
        """So many workers think at once that a refill is due; gives what each did."""

        async def rivals(db: Database, gateway: StripeGateway) -> list[str]:
            return await asyncio.gather(
                *(refill_if_due(db, gateway, team.id, per_day=self.per_day) for _ in range(times))
            )

        return self.shop.stage.do(rivals)

    # What came of it.

    def states(self, team: Team) -> list[str]:
        """The states of an account's refills, oldest first."""
        rows = self.shop.sql(
            "select state from payments.top_up where account_id = %s and origin = 'refill'"
            " order by created_at",
            team.id,
        )
        return [state for (state,) in rows]

    def setting(self, team: Team) -> tuple[int, bool]:
        """How many refills failed in a row, and whether they are on."""
        (row,) = self.shop.sql(
            "select failures, is_on from accounts.refill where account_id = %s", team.id
        )
        return int(row[0]), bool(row[1])

    def told(self, topic: str) -> list[UUID]:
        """The subjects that the outbox has for a topic, due or not."""
        rows = self.shop.sql(
            "select subject_id from notifications.outbox where topic = %s order by due_at", topic
        )
        return [subject_id for (subject_id,) in rows]

    def mails(self) -> list[dict[str, Any]]:
        """What was mailed, oldest first."""
        return self.sink.mails()[::-1]


async def refill_once(database_url: str, key: str, url: str, account: str) -> None:
    """What a process of its own does about one account: it may be killed at any line."""
    db = await open_database(database_url, pool_size=2, application="tests")
    gateway = open_gateway(key, url, request_s=20)
    try:
        await refill_if_due(db, gateway, int(account), per_day=5)
    finally:
        await close_gateway(gateway)
        await db.close()


if __name__ == "__main__":
    asyncio.run(refill_once(*sys.argv[1:]))
