"""What accounts and operators do with money on its way in: orders, top-ups, adjustments."""

from dataclasses import dataclass
from typing import Any

import httpx

from fieldfare.accounts import service as accounts
from fieldfare.db.pool import Connection
from fieldfare.ledger.service.adjusting import adjust as adjust_credits
from tests.support.cards import TOP_UP_PATH
from tests.support.model_double import DECLINED, Double, Fault, Kept, refused_as
from tests.support.model_prices import TREES, Money, Price, charge_minor
from tests.support.model_rows import check_answer, check_top_up, same
from tests.support.model_things import Account, Order, Refill, TopUp

ALONE_UP_TO_CENTS = 15_000


@dataclass(frozen=True)
class Wish:
    """An order of any kind as a client asks for it."""

    kind: str
    what: dict[str, Any]
    price: Price
    method: str
    dry: bool = False
    receipt: bool = False
    cap: int | None = None
    """By how much the client's maximum exceeds the price."""
    keyed: bool = True
    fault: Fault | None = None

    @property
    def by_card(self) -> bool:
        """Whether a card pays for it."""
        return self.method == "stripe"


# Who orders.


def open_account(two: Double, money: Money, card: str | None, cents: int) -> None:
    """An account that begins with some credits."""
    account = Account(two.shop.team(card, money.code), money, card)
    two.books.accounts.append(account)
    adjust(two, account, cents)


def change_card(two: Double, account: Account, card: str) -> None:
    """Another card is put on file."""
    two.shop.give_card(account.team, card)
    account.card = card


def adjust(two: Double, account: Account, change: int) -> None:
    """An operator changes a balance; too much takes two people, and too little is there."""

    async def write(conn: Connection) -> None:
        await adjust_credits(
            conn, account.team.id, change_cents=change, reason="A run", operator_id=None,
            alone_up_to_cents=ALONE_UP_TO_CENTS,
        )  # fmt: skip

    code, _ = refused_as(lambda: two.shop.stage.write(write))
    two.touched.append(account)
    if abs(change) > ALONE_UP_TO_CENTS:
        same(code, "two_people_needed")
    elif account.balance + change < 0:
        same(code, "adjustment_refused")
    else:
        same(code, None)
        account.change("adjustment", change)


def set_refill(two: Double, account: Account, below: int, amount: int) -> None:
    """The owner wants credits refilled, or not any more if `below` is zero."""
    team_id = account.team.id

    async def write(conn: Connection) -> None:
        if below:
            await accounts.set_refill(conn, team_id, below_cents=below, amount_cents=amount)
        else:
            await accounts.switch_refill_off(conn, team_id)

    code, _ = refused_as(lambda: two.shop.stage.write(write))
    if below:
        same(code, None)
        account.refill = Refill(below, amount, two.books.now)
    elif account.refill is None:
        same(code, "refill_not_set")
    else:
        same(code, None)
        account.refill.is_on = False


# What is bought.


def order(two: Double, account: Account, wish: Wish) -> None:
    """An order of any kind, or its dry run."""
    path = f"/api/{wish.kind}-orders"
    charged = two.books.charge_of(account, wish.method, wish.price.cents)
    maximum = None if wish.cap is None else charged + wish.cap
    refusal = _refusal(two, account, wish, maximum)
    strikes = wish.by_card and refusal is None and not wish.dry
    body = {
        **wish.what,
        "paymentMethod": wish.method,
        "dryRun": wish.dry,
        "sendReceiptEmail": wish.receipt,
        **({} if maximum is None else {"maxAmountCharged": maximum}),
    }
    key = two.new_key() if wish.keyed else None
    with two.faults(wish.fault if strikes else None) as struck:
        answer, said = two.post(account, path, body, key)
    if refusal is not None:
        same(said.get("code"), refusal)
        if refusal == "card_declined":
            two.books.declined["orders.purchase"] += 1
            two.keep(account, path, body, key, answer)
    elif wish.dry:
        _check_dry_run(account, wish, said, charged)
    elif struck is not None and struck.is_refusal:
        same((answer.status_code, said.get("code")), (503, "processor_unavailable"))
        two.books.declined["orders.purchase"] += 1
    else:
        placed = _placed(two, account, wish, answer, said, struck)
        two.keep(account, path, body, key, answer, placed)


def _refusal(two: Double, account: Account, wish: Wish, maximum: int | None) -> str | None:
    refusal = two.books.refusal(
        account, wish.method, wish.price, cap=maximum, trees=wish.kind == "tree"
    )
    by_card = wish.by_card and not wish.dry
    return _card_refusal(account) if refusal is None and by_card else refusal


def _card_refusal(account: Account) -> str | None:
    if account.card is None:
        return "no_payment_method"
    return "card_declined" if account.card == DECLINED else None


def _currency(account: Account, wish: Wish) -> str:
    return account.money.code if wish.by_card else "USD"


def _check_dry_run(account: Account, wish: Wish, said: Any, charged: int) -> None:
    check_answer(said, wish.price, charged, _currency(account, wish))
    same((said["id"], "purchaseId" in said), (None, False))
    left = None if wish.by_card else account.balance - wish.price.cents
    same(said.get("creditsRemaining"), left)


def _placed(
    two: Double,
    account: Account,
    wish: Wish,
    answer: httpx.Response,
    said: Any,
    struck: Fault | None,
) -> Order:
    """An order that was not refused: it is paid, or nobody knows yet."""
    placed = Order(
        account,
        said.get("purchaseId"),
        _currency(account, wish),
        two.books.charge_of(account, wish.method, wish.price.cents),
        two.books.now,
        account.card or "",
        kind=wish.kind,
        method=wish.method,
        price=wish.price,
        receipt=wish.receipt,
        portfolio_id=wish.what.get("portfolioId"),
        project_id=wish.what.get("projectId", TREES if wish.kind == "tree" else None),
    )
    if struck is not None and struck.leaves_doubt:
        _doubt(two, placed, answer, struck)
    else:
        same(answer.status_code, httpx.codes.OK)
        if wish.by_card:
            two.books.charge(placed, said["id"])
        two.books.pay(placed)
        check_answer(said, wish.price, placed.charged, placed.currency)
        same(said["id"], placed.group)
        same(said.get("creditsRemaining"), None if wish.by_card else account.balance)
    two.books.orders.append(placed)
    two.touched.append(placed)
    return placed


def _doubt(two: Double, paid: Order | TopUp, answer: httpx.Response, struck: Fault) -> None:
    same((answer.status_code, answer.json().get("code")), (502, "payment_outcome_unknown"))
    paid.is_stuck = struck.is_sticky
    two.books.timers.append(paid)
    two.adopt(paid)


def top_up(two: Double, account: Account, cents: int, fault: Fault | None) -> None:
    """Credits by card."""
    refusal = "below_minimum" if cents < 100 else _card_refusal(account)
    key, body = two.new_key(), {"amountInUsdCents": cents}
    with two.faults(fault if refusal is None else None) as struck:
        answer, said = two.post(account, TOP_UP_PATH, body, key)
    if struck is not None and struck.is_refusal:
        refusal = "processor_unavailable"
    if refusal is not None:
        same(said.get("code"), refusal)
        two.books.declined["payments.top_up"] += refusal in {
            "card_declined",
            "processor_unavailable",
        }
        if refusal == "card_declined":
            two.keep(account, TOP_UP_PATH, body, key, answer)
        return
    in_doubt = struck is not None and struck.leaves_doubt
    bought = TopUp(
        account,
        said.get("purchaseId") if in_doubt else _top_up_of(two, said.get("id")),
        account.money.code,
        charge_minor(cents, account.money),
        two.books.now,
        account.card or "",
        cents=cents,
    )
    two.books.top_ups.append(bought)
    if struck is not None and in_doubt:
        _doubt(two, bought, answer, struck)
    else:
        same(answer.status_code, httpx.codes.OK)
        two.books.charge(bought, said["id"])
        two.books.pay(bought)
        check_top_up(said, bought)
    two.keep(account, TOP_UP_PATH, body, key, answer, bought)


def _top_up_of(two: Double, charge_id: str) -> str:
    rows = two.shop.sql("select id::text from payments.top_up where charge_id = %s", charge_id)
    return str(rows[0][0])


# The same again.


def retry(two: Double, kept: Kept, *, other_body: bool) -> None:
    """A request again under its key, or another one under it."""
    body = kept.body
    if other_body:
        changed = {"amountInUsdCents": body.get("amountInUsdCents", 0) + 1}
        body = changed if kept.path == TOP_UP_PATH else {**body, "note": "Another order"}
    answer, said = two.post(kept.account, kept.path, body, kept.key)
    if other_body:
        same((answer.status_code, said.get("code")), (422, "idempotency_mismatch"))
    elif kept.paid is not None and kept.paid.state in {"pending", "failed"}:
        _retry_in_doubt(two, kept.paid, answer.status_code)
    else:
        if kept.status == httpx.codes.BAD_GATEWAY:
            # Its outcome became known since; that is what is kept now.
            kept.status, kept.content = httpx.codes.OK, answer.content
        same((answer.status_code, answer.content), (kept.status, kept.content))
        same(answer.headers.get("Idempotency-Replayed"), "true")


def _retry_in_doubt(two: Double, paid: Order | TopUp, status: int) -> None:
    two.adopt(paid)
    if paid.charge is not None:
        same(status, httpx.codes.OK)
        two.books.pay(paid)
        return
    two.may_be_unmade(paid)
    if status == httpx.codes.BAD_REQUEST:
        assert paid.state == "failed" or two.is_long_ago(paid), "called failed too early"
        paid.state = "failed"
    else:
        same((status, paid.state), (httpx.codes.BAD_GATEWAY, "pending"))
