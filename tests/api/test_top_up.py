"""Credits bought by card, as a client sees them."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from fieldfare.accounts import service as accounts
from fieldfare.db.pool import Connection
from fieldfare.ledger.model import MAX_BALANCE_CENTS
from fieldfare.ledger.service.credits import adjust_credits
from tests.support.cards import TOP_UP_CENTS, TOP_UP_PATH, CardShop, Team
from tests.support.client import REPLAYED, assert_refused
from tests.support.waiting import wait_until

FIELD = "amountInUsdCents"
DECLINED = "pm_card_visa_chargeDeclined"
RATE_ON = date(2026, 11, 20)


def legs_of(shop: CardShop, team: Team) -> list[tuple[str, str, int]]:
    """Book, currency and micro amount of every leg of an account's top-ups."""
    return shop.sql(
        "select j.book, j.currency, j.amount_micro from ledger.journal j"
        " join payments.top_up t on t.entry_id = j.movement_id where t.account_id = %s"
        " order by j.book, j.currency",
        team.id,
    )


def entries_of(shop: CardShop, team: Team) -> list[dict[str, Any]]:
    """An account's changes of credits, newest first."""
    entries: list[dict[str, Any]] = shop.get("/api/credits/ledger", team).json()["entries"]
    return entries


def token_of(shop: CardShop, team: Team, kind: Any) -> Team:
    """Another kind of token of the same account."""

    async def issue(conn: Connection) -> Team:
        issued = await accounts.issue_token(conn, team.id, kind, "tests", datetime.now(UTC))
        return Team(team.id, issued.token)

    return shop.stage.write(issue)


def test_a_top_up_is_answered_charged_and_credited(shop: CardShop) -> None:
    team = shop.team()
    answer = shop.top_up(team, "k")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert list(body) == ["amountCharged", "currency", "id", "creditBalance"]
    assert body == {
        "amountCharged": TOP_UP_CENTS, "currency": "USD", "id": body["id"],
        "creditBalance": TOP_UP_CENTS,
    }  # fmt: skip
    assert body["id"].startswith("ch_")

    (charge,) = shop.charges()
    assert (charge["id"], charge["amount"], charge["currency"]) == (body["id"], 5_000, "usd")
    ((top_up_id,),) = shop.sql(
        "select id::text from payments.top_up where account_id = %s", team.id
    )
    assert charge["metadata"] == {"subject": "top_up", "subject_id": top_up_id}

    assert shop.balance(team) == TOP_UP_CENTS
    (entry,) = entries_of(shop, team)
    assert (entry["type"], entry["amountUsdCents"]) == ("top_up", TOP_UP_CENTS)
    assert (entry["balanceAfterUsdCents"], entry["orderGroupId"]) == (TOP_UP_CENTS, None)
    assert entry["description"] == "Credits bought by card"
    assert legs_of(shop, team) == [
        ("credits", "USD", 5_000_000_000), ("processor", "USD", -5_000_000_000),
    ]  # fmt: skip
    shop.agree(team)


def test_it_adds_up_and_pays_for_orders(shop: CardShop) -> None:
    team = shop.team()
    assert [shop.top_up(team).json()["creditBalance"] for _ in range(3)] == [5_000, 10_000, 15_000]
    order = shop.order(team, paymentMethod="credits")
    assert order.json()["creditsRemaining"] == 15_000 - 704
    assert [entry["type"] for entry in entries_of(shop, team)] == ["deduction"] + ["top_up"] * 3
    assert len(shop.charges()) == 3
    # A top-up is no purchase.
    assert shop.sql("select count(*) from orders.purchase where account_id = %s", team.id) == [(1,)]
    shop.agree(team)


@pytest.mark.parametrize(
    ("currency", "rate", "charged", "legs"),
    [
        # $50.00 × 0.9137 = 45.685 euros = 4568.5 cents, up to the next one.
        (
            "EUR", "0.9137", 4_569,
            [("credits", "USD", 5_000_000_000), ("exchange", "EUR", 4_569_000_000),
             ("exchange", "USD", -5_000_000_000), ("processor", "EUR", -4_569_000_000)],
        ),
        # 50 × 149.1234 = 7456.17 yen; a yen is a hundred hundredths of a million parts.
        (
            "JPY", "149.1234", 7_457,
            [("credits", "USD", 5_000_000_000), ("exchange", "JPY", 745_700_000_000),
             ("exchange", "USD", -5_000_000_000), ("processor", "JPY", -745_700_000_000)],
        ),
        # 50 × 0.3071 = 15.355 dinars = 15355 fils, up to a multiple of ten; a fils is a tenth.
        (
            "KWD", "0.3071", 15_360,
            [("credits", "USD", 5_000_000_000), ("exchange", "KWD", 1_536_000_000),
             ("exchange", "USD", -5_000_000_000), ("processor", "KWD", -1_536_000_000)],
        ),
    ],
)  # fmt: skip
def test_the_charge_is_in_the_accounts_currency(
    shop: CardShop, currency: str, rate: str, charged: int, legs: list[tuple[str, str, int]]
) -> None:
    shop.set_rate(currency, rate, RATE_ON)
    team = shop.team(currency=currency)
    wait_until(lambda: shop.order(team, dryRun=True).status_code == 200)
    body = shop.top_up(team, "k").json()
    assert (body["amountCharged"], body["currency"]) == (charged, currency)
    assert body["creditBalance"] == shop.balance(team) == TOP_UP_CENTS
    (charge,) = shop.charges()
    assert (charge["amount"], charge["currency"]) == (charged, currency.lower())
    stored = shop.sql(
        "select trim_scale(rate)::text, rate_on, amount_minor, amount_cents, subject"
        " from payments.payment where account_id = %s", team.id,
    )  # fmt: skip
    assert stored == [(rate, RATE_ON, charged, TOP_UP_CENTS, "top_up")]
    assert legs_of(shop, team) == legs
    shop.agree(team)


@pytest.mark.parametrize("cents", [100, 99_999_999])
def test_the_bounds_are_taken(shop: CardShop, cents: int) -> None:
    team = shop.team()
    assert shop.top_up(team, cents=cents).json()["creditBalance"] == cents
    shop.agree(team)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_amount"),
        ({FIELD: None}, "invalid_amount"),
        ({FIELD: 99}, "below_minimum"),
        ({FIELD: 0}, "below_minimum"),
        ({FIELD: -5_000}, "below_minimum"),
        ({FIELD: 100_000_000}, "above_maximum"),
        ({FIELD: 10**29}, "above_maximum"),
        ({FIELD: 100.5}, "invalid_integer"),
        ({FIELD: True}, "invalid_integer"),
        ({FIELD: "5000"}, "invalid_integer"),
        ({FIELD: [5_000]}, "invalid_integer"),
    ],
    ids=str,
)
def test_an_amount_that_cannot_be_is_refused_and_nothing_sent(
    shop: CardShop, body: dict[str, Any], code: str
) -> None:
    team = shop.team()
    for who in (team, token_of(shop, team, "team_test")):
        assert_refused(shop.post(body, who, "k", path=TOP_UP_PATH), 400, code, FIELD)
    assert shop.sent() == []
    assert shop.sql("select count(*) from payments.top_up where account_id = %s", team.id) == [(0,)]
    # The key was not used up.
    first = shop.top_up(team, "k")
    assert (first.status_code, REPLAYED in first.headers) == (200, False)


@pytest.mark.parametrize("text", ["NaN", "1e400", "1e99", "-0", "0x10"])
def test_a_number_that_is_none_is_a_400(shop: CardShop, text: str) -> None:
    team = shop.team()
    answer = shop.http.post(
        TOP_UP_PATH,
        content=f'{{"{FIELD}": {text}}}'.encode(),
        headers={"Authorization": f"Bearer {team.token}"},
    )
    assert answer.status_code == 400, answer.text
    assert shop.sent() == []


def test_what_a_card_cannot_be_charged_in_its_currency_is_refused(shop: CardShop) -> None:
    shop.set_rate("CZK", "22.5", RATE_ON)
    team = shop.team(currency="CZK")
    wait_until(lambda: shop.order(team, dryRun=True).status_code == 200)
    # 999,999.99 koruna at most: 99,999,999 ÷ 22.5 is 4,444,444 cents and a bit.
    refused = shop.top_up(team, "k", cents=4_444_445)
    assert "99999999" in assert_refused(refused, 400, "above_maximum", FIELD)["message"]
    assert shop.top_up(team, "k", cents=4_444_444).json()["amountCharged"] == 99_999_990
    shop.agree(team)


def test_a_wallet_that_is_full_is_not_charged_for(shop: CardShop) -> None:
    team = shop.team()
    first = shop.top_up(team, "first")
    room = MAX_BALANCE_CENTS - TOP_UP_CENTS
    shop.stage.write(
        lambda conn: adjust_credits(conn, team.id, change_cents=room - 100, reason="For tests")
    )
    assert_refused(shop.top_up(team, "k", cents=101), 400, "above_maximum", FIELD)
    assert len(shop.sent()) == 1
    # What went through before has its answer, and what just fits is taken.
    assert shop.top_up(team, "first").content == first.content
    assert shop.top_up(team, "k", cents=100).json()["creditBalance"] == MAX_BALANCE_CENTS
    shop.agree(team)


@pytest.mark.parametrize("cents", ["5000", "5000.0", "5e3"])
def test_a_form_is_the_same_request(shop: CardShop, cents: str) -> None:
    team = shop.team()
    first = shop.top_up(team, "k")
    form = shop.http.post(
        TOP_UP_PATH,
        data={FIELD: cents, "ignored": "x"},
        headers={"Authorization": f"Bearer {team.token}", "Idempotency-Key": "k"},
    )
    assert (form.status_code, form.content) == (200, first.content)
    assert form.headers[REPLAYED] == "true"
    fresh = shop.http.post(
        TOP_UP_PATH, data={FIELD: cents}, headers={"Authorization": f"Bearer {team.token}"}
    )
    assert (fresh.status_code, fresh.json()["creditBalance"]) == (200, 10_000)
    shop.agree(team)


def test_the_same_request_gets_the_same_bytes_and_one_charge(shop: CardShop) -> None:
    team = shop.team()
    first = shop.top_up(team, "k")
    assert shop.top_up(team).status_code == 200
    again = [shop.top_up(team, "k") for _ in range(2)]
    # What the balance was then, whatever it is by now.
    assert {one.content for one in again} == {first.content}
    assert REPLAYED not in first.headers
    assert all(one.headers[REPLAYED] == "true" for one in again)
    other = shop.top_up(team, "k", cents=5_001)
    assert_refused(other, 422, "idempotency_mismatch", "Idempotency-Key")
    assert len(shop.charges()) == 2
    shop.agree(team)


def test_a_key_is_bound_to_its_account_and_path(shop: CardShop) -> None:
    team, other = shop.team(), shop.team()
    assert shop.top_up(team, "k").json()["creditBalance"] == TOP_UP_CENTS
    order = shop.order(team, "k")
    assert (order.status_code, REPLAYED in order.headers) == (200, False)
    theirs = shop.top_up(other, "k")
    assert (theirs.status_code, REPLAYED in theirs.headers) == (200, False)
    assert len(shop.charges()) == 3
    shop.agree(team, other)


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"tab\there", "ü".encode()])
def test_a_key_of_the_wrong_form_is_refused(shop: CardShop, key: bytes) -> None:
    team = shop.team()
    headers = [(b"Authorization", f"Bearer {team.token}".encode()), (b"Idempotency-Key", key)]
    answer = shop.http.post(TOP_UP_PATH, json={FIELD: 5_000}, headers=headers)
    assert_refused(answer, 400, "invalid_idempotency_key", "Idempotency-Key")


def test_without_a_key_each_request_is_a_top_up(shop: CardShop) -> None:
    team = shop.team()
    assert len({shop.top_up(team).json()["id"] for _ in range(3)}) == 3
    assert shop.balance(team) == 3 * TOP_UP_CENTS
    shop.agree(team)


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (DECLINED, "generic decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient funds"),
        ("pm_card_authenticationRequiredOnSetup", "authentication required"),
        ("pm_card_authenticationRequired", "authentication required"),
    ],
)
def test_a_declined_card_fails_the_top_up_for_good(shop: CardShop, card: str, reason: str) -> None:
    team = shop.team(card)
    first = shop.top_up(team, "k")
    message = assert_refused(first, 400, "card_declined")["message"]
    assert reason in message
    # There is no other way to pay for credits.
    assert "paymentMethod" not in message
    (intent,) = shop.stripe.truth("payment_intents")
    assert intent["status"] == "canceled"
    assert (shop.balance(team), entries_of(shop, team)) == (0, [])

    shop.give_card(team, "pm_card_visa")
    again = shop.top_up(team, "k")
    assert (again.status_code, again.content) == (400, first.content)
    assert again.headers[REPLAYED] == "true"
    assert shop.top_up(team, "another").json()["creditBalance"] == TOP_UP_CENTS
    assert len(shop.charges()) == 1
    shop.agree(team)


def test_without_a_card_it_is_403_and_nothing_is_recorded(shop: CardShop) -> None:
    team = shop.team(card=None)
    message = assert_refused(shop.top_up(team, "k"), 403, "no_payment_method")["message"]
    assert message == "No card is on file for this account. Add one."
    assert shop.sql("select 1 from payments.top_up where account_id = %s", team.id) == []
    shop.give_card(team, "pm_card_visa")
    assert shop.top_up(team, "k").status_code == 200


def test_a_currency_without_a_rate_says_so(shop: CardShop) -> None:
    team = shop.team(currency="XPF")
    message = assert_refused(shop.top_up(team, "k"), 400, "no_exchange_rate")["message"]
    assert message == "There is no exchange rate for XPF yet. Ask the operator to set one."
    assert shop.sent() == []


def test_the_first_answer_outlives_the_rate(shop: CardShop) -> None:
    shop.set_rate("BMD", "1", RATE_ON)
    team = shop.team(currency="BMD")
    wait_until(lambda: shop.order(team, dryRun=True).status_code == 200)
    first = shop.top_up(team, "k")
    assert first.status_code == 200, first.text
    shop.set_rate("BMD", "99999999", RATE_ON)
    wait_until(lambda: shop.top_up(team).status_code == 400)
    again = shop.top_up(team, "k")
    assert (again.status_code, again.content) == (200, first.content)
    shop.agree(team)


def test_a_team_and_its_member_have_wallets_of_their_own(shop: CardShop) -> None:
    team = shop.team()
    ((owner,),) = shop.sql("select user_id from accounts.member where team_id = %s", team.id)
    shop.stage.write(
        lambda conn: accounts.add_provider_identity(
            conn, owner, "google", f"google-{owner}", datetime.now(UTC)
        )
    )
    person = token_of(shop, Team(owner, ""), "personal")
    assert_refused(shop.top_up(person), 403, "no_payment_method")
    shop.give_card(person, "pm_card_visa")
    assert shop.top_up(person, cents=700).json()["creditBalance"] == 700
    assert shop.top_up(team, cents=900).json()["creditBalance"] == 900
    assert (shop.balance(person), shop.balance(team)) == (700, 900)
    shop.agree(team, person)


def test_a_person_without_an_identity_may_not_top_up(shop: CardShop) -> None:
    team = shop.team()
    ((owner,),) = shop.sql("select user_id from accounts.member where team_id = %s", team.id)
    person = token_of(shop, Team(owner, ""), "personal")
    shop.give_card(person, "pm_card_visa")
    assert_refused(shop.top_up(person), 403, "account_required")
    assert shop.sent() == []


def test_test_mode_charges_nobody(shop: CardShop) -> None:
    team = shop.team(card=None, currency="EUR")
    test = token_of(shop, team, "team_test")
    answers = [shop.top_up(test, "k", cents=cents) for cents in (5_000, 5_000, 99_999_999)]
    bodies = [answer.json() for answer in answers]
    assert [list(body) for body in bodies] == [
        ["amountCharged", "currency", "id", "creditBalance", "test"]
    ] * 3
    # A thousand dollars anew on every request, and a key keeps nothing.
    assert [body["creditBalance"] for body in bodies] == [105_000, 105_000, 100_099_999]
    assert [body["amountCharged"] for body in bodies] == [5_000, 5_000, 99_999_999]
    assert {(body["currency"], body["test"]) for body in bodies} == {("USD", True)}
    assert all(body["id"].startswith("test_cr_") for body in bodies)
    assert len({body["id"] for body in bodies}) == 3
    assert all(REPLAYED not in answer.headers for answer in answers)
    assert shop.sent() == []
    for table in ("payments.top_up", "ledger.wallet"):
        assert shop.sql(f"select 1 from {table} where account_id = %s", team.id) == []


def test_what_is_sent_and_kept_names_ids_and_nothing_of_the_client(shop: CardShop) -> None:
    team = shop.team()
    body = {FIELD: 5_000, "note": "Private words", "onBehalfOfEmail": "g@tests.example"}
    assert shop.post(body, team, "client-key", path=TOP_UP_PATH).status_code == 200
    (sent,) = shop.sent()
    said = json.dumps([sent, entries_of(shop, team)])
    for word in ("Private", "g@tests", "client-key"):
        assert word not in said
    assert sent["params"]["off_session"] == "true"
