"""`fieldfare erase`: what it refuses until something else is done, and what a kill leaves of it."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from typer.testing import CliRunner

from fieldfare.accounts import service as accounts
from fieldfare.cli.main import app
from fieldfare.db.pool import Connection
from fieldfare.kernel.money import dollars_from_cents
from fieldfare.ledger.service import adjusting
from fieldfare.ledger.service.credits import adjust_credits
from tests.support.cards import CardShop
from tests.support.erasing import Running, books, environment, erase, erased, refused
from tests.support.lives import Life

CUSTOMERS = "/v1/customers"

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
    shop.hear()
    erased(shop, "--account", life.owner)
    assert life.where_it_is() == set()


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
    shop.hear()
    assert life.where_it_is() == set()
    assert books(shop, life.team.id) == before
    assert shop.findings() == []
