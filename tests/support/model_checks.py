"""What the product shows, held against the plain model: over the API, in the database, in the
processor's record, and in the mailbox.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx

from tests.support.cards import CardShop
from tests.support.model_books import Account, Books, Order, Paid, TopUp
from tests.support.model_prices import MG_PER_TONNE, MICRO_PER_CENT, Line, Price

PAGE = 200


def read(answer: httpx.Response) -> Any:
    """An answer with numbers as they are written."""
    return json.loads(answer.text, parse_float=Decimal)


def tonnes(mass_mg: int) -> Fraction:
    """A mass as it is shown."""
    return Fraction(mass_mg, MG_PER_TONNE)


def cents(amount_micro: int) -> Fraction:
    """An amount as it is shown, maybe with a fraction."""
    return Fraction(amount_micro, MICRO_PER_CENT)


def same(found: Any, expected: Any) -> None:
    """Fail with both sides, if they differ."""
    assert found == expected, f"\n  product: {found}\n  model:   {expected}"


def check_answer(body: Any, price: Price, charged: int, currency: str) -> None:
    """The answer to an order, or to its dry run."""
    head = (body["amountInUsdCents"], body["amountCharged"], body["currency"])
    same(head, (price.cents, charged, currency))
    if "portfolio" in body:
        found = [
            (one["id"], Fraction(one["tons"]), Fraction(one["amountInUsdCents"]))
            for one in body["portfolio"]["projects"]
        ]
        same(
            found,
            [(one.project_id, tonnes(one.mass_mg), cents(one.shown_micro)) for one in price.lines],
        )
        same(Fraction(body["tons"]), tonnes(sum(one.mass_mg for one in price.lines)))
        return
    (line,) = price.lines
    impact = body.get("impact")
    if line.kind == "donation":
        same(impact, None)
    elif line.kind == "tree":
        same(impact, {"trees": line.trees})
    else:
        same({"tons": Fraction(impact["tons"])}, {"tons": tonnes(line.mass_mg)})


class Looks:
    """Comparisons with one model in one shop."""

    def __init__(self, shop: CardShop, books: Books) -> None:
        self.shop = shop
        self.books = books
        self.known = {name: len(shop.stripe.truth(name)) for name in TRUTHS}
        """How much there was at the processor before."""

    def get(self, account: Account, path: str, **parameters: Any) -> Any:
        """What a GET of an account is answered."""
        answer = self.shop.get(path, account.team, **parameters)
        assert answer.status_code == httpx.codes.OK, answer.text
        return read(answer)

    # Over the API.

    def wallet(self, account: Account) -> None:
        """What an account holds and owes."""
        found = self.get(account, "/api/credits/balance")
        same(
            (found["creditBalanceUsdCents"], found["owedUsdCents"]), (account.balance, account.owed)
        )

    def ledger(self, account: Account) -> None:
        """Every entry behind it."""
        found = self.get(account, "/api/credits/ledger", limit=PAGE)
        fields = ("type", "amountUsdCents", "balanceAfterUsdCents", "orderGroupId")
        shown = [tuple(one[name] for name in fields) for one in found["entries"]]
        same(shown, account.entries[::-1][:PAGE])
        same(found["total"], len(account.entries))

    def order(self, order: Order) -> None:
        """An order as it is found again, with its refunds."""
        found = self.get(order.account, f"/api/orders/{order.id}")
        lines = order.price.lines
        if order.state not in {"pending", "failed"}:
            same(found["orderGroupId"], order.group)
        same(
            {name: found[name] for name in ORDER_FIELDS},
            {
                "purchaseId": order.id,
                "kind": order.kind,
                "state": order.state,
                "paymentMethod": order.method,
                "amountCharged": order.charged,
                "currency": order.currency,
                "amountInUsdCents": order.price.cents,
                "tons": tonnes(sum(one.mass_mg for one in lines)),
                "trees": sum(one.trees for one in lines),
                "portfolioId": order.portfolio_id,
                "projectId": order.project_id,
                "amountRefunded": order.gone,
            },
        )
        same([_read_refund(one) for one in found["refunds"]], [row.told for row in order.rows])

    def lists(self, account: Account) -> None:
        """Every list of orders, and the totals."""
        orders = [one for one in self.books.orders if one.account is account]
        offsets = self.get(account, "/api/offset-orders")
        certified = {
            (order.id, line.project_id)
            for order, line in _lines(orders, "offset")
            if line.standing != "uncertified"
        }
        same(
            Fraction(offsets["stats"]["totalTons"]),
            tonnes(
                sum(
                    line.mass_mg - line.gone_mg
                    for order, line in _lines(orders, "offset")
                    if (order.id, line.project_id) in certified
                )
            ),
        )
        listed = [("offsetOrders", True), ("uncertifiedOffsetOrders", False)]
        for name, is_certified in listed:
            same(
                _keyed(_read_offset(one) for one in offsets[name]),
                _keyed(
                    _offset(order, line)
                    for order, line in _lines(orders, "offset")
                    if ((order.id, line.project_id) in certified) is is_certified
                ),
            )
        trees = self.get(account, "/api/tree-orders")["treeOrders"]
        same(
            _keyed(_read_trees(one) for one in trees),
            _keyed(_trees(order, line) for order, line in _lines(orders, "tree")),
        )
        donations = self.get(account, "/api/project-donations")
        same(
            _keyed(_read_donation(one) for one in donations),
            _keyed(_donation(order, line) for order, line in _lines(orders, "donation")),
        )
        purchases = self.get(account, "/api/purchases")["purchases"]
        same(
            [_read_purchase(one) for one in purchases],
            [_purchase(order) for order in reversed(orders) if order.shown_lines()],
        )

    def account(self, account: Account) -> None:
        """All that the API shows of an account."""
        self.wallet(account)
        self.ledger(account)
        self.lists(account)

    # Behind it.

    def database(self) -> None:
        """Wallets with their totals, and nothing on its way that the model does not know of."""
        teams = [account.team.id for account in self.books.accounts]
        found = self.shop.sql(
            "select account_id, balance_cents, owed_cents, certified_mg, trees from ledger.wallet"
            " where account_id = any(%s) and (entry_count, certified_mg, trees) <> (0, 0, 0)"
            " order by account_id",
            teams,
        )
        same(
            sorted(found),
            sorted(row for account in self.books.accounts for row in self._wallet_row(account)),
        )
        self._states("orders.purchase", self.books.orders)
        self._states("payments.top_up", self.books.top_ups)

    def _states(self, table: str, known: Sequence[Paid]) -> None:
        teams = [account.team.id for account in self.books.accounts]
        rows = self.shop.sql(
            f"select id::text, state from {table} where account_id = any(%s)", teams
        )
        expected = {one.id: one.state for one in known}
        # What was declined at once has no name that anybody was told.
        nameless = [state for identifier, state in rows if identifier not in expected]
        same(nameless, ["failed"] * self.books.declined[table])
        same({one: state for one, state in rows if one in expected}, expected)

    def _wallet_row(self, account: Account) -> Iterator[tuple[int, ...]]:
        lines = [
            line
            for order in self.books.orders
            if order.account is account
            for line in order.shown_lines()
        ]
        if lines or account.entries:
            certified = (one.mass_mg - one.gone_mg for one in lines if one.standing in STANDINGS)
            trees = (one.trees - one.gone_trees for one in lines)
            yield account.team.id, account.balance, account.owed, sum(certified), sum(trees)

    def processor(self) -> None:
        """What the processor truly charged, gave back and lost, and what that moved."""
        charges = [one for one in self._new("charges") if one["paid"]]
        same(
            sorted(
                (one["id"], one["amount"], one["currency"], one["metadata"]["subject_id"])
                for one in charges
            ),
            sorted(
                (one.id, one.amount, one.paid_for.currency.lower(), one.paid_for.id)
                for one in self.books.charges
            ),
        )
        same(
            {(one["id"], one["charge"], one["amount"], one["status"]) for one in self._new("refunds")},
            {
                (seen.id, charge.id, seen.amount, seen.status)
                for charge in self.books.charges
                for seen in charge.refunds
            },
        )
        same(
            {
                (one["id"], one["charge"], one["amount"], one["status"])
                for one in self._new("disputes")
            },
            {
                (one.id, charge.id, one.amount, one.status)
                for charge in self.books.charges
                for one in charge.disputes
            },
        )

    def balance_is_there(self) -> bool:
        """Whether as much has moved at the processor as should: a charge moves it a moment later."""
        return len(self._new("balance_transactions")) >= len(list(_movements(self.books)))

    def balance(self) -> None:
        """Every movement of our balance at the processor, once each."""
        found = Counter(
            (one["reporting_category"], one["source"], one["amount"])
            for one in self._new("balance_transactions")
        )
        same(found, Counter(_movements(self.books)))

    # In the mailbox.

    def mails(self, mails: list[dict[str, Any]]) -> None:
        """A receipt for each order that wanted one, a word for each refill that failed; once."""
        found = Counter(_named_by(mail["message_id"]) for mail in mails)
        receipts = [
            order.id for order in self.books.orders if order.receipt and order.shown_lines()
        ]
        failures = sum(len(account.refill_failed_at) for account in self.books.accounts)
        same({one: found.pop(("receipt", one), 0) for one in receipts}, dict.fromkeys(receipts, 1))
        same(sorted(kind for kind, _ in found.elements()), ["refill-failed"] * failures)
        same(set(found.values()) - {1}, set())

    def _new(self, name: str) -> list[dict[str, Any]]:
        return self.shop.stripe.truth(name)[self.known[name] :]


TRUTHS = ("charges", "refunds", "disputes", "balance_transactions")
STANDINGS = {"certified", "external_standard"}
ORDER_FIELDS = (
    "purchaseId", "kind", "state", "paymentMethod", "amountCharged", "currency",
    "amountInUsdCents", "tons", "trees", "portfolioId", "projectId", "amountRefunded",
)  # fmt: skip


def _named_by(message_id: str) -> tuple[str, str]:
    """Which mail it is, and about what: `<receipt.UUID@host>`."""
    kind, _, subject = message_id.strip("<>").split("@")[0].partition(".")
    return kind, subject


def _movements(books: Books) -> Iterator[tuple[str, str, int]]:
    for charge in books.charges:
        yield "charge", charge.id, charge.amount
        for seen in charge.refunds:
            yield "refund", seen.id, -seen.amount
            if seen.status == "failed":
                yield "refund_failure", seen.id, seen.amount
        for dispute in charge.disputes:
            if not dispute.is_inquiry:
                yield "dispute", dispute.id, -dispute.amount
            if dispute.status == "won":
                yield "dispute_reversal", dispute.id, dispute.amount


def _read_refund(one: Any) -> tuple[int, str, int, int]:
    mass_mg = Fraction(one["tons"]) * MG_PER_TONNE
    return one["amount"], one["state"], int(mass_mg), one["trees"]


def _lines(orders: Iterable[Order], kind: str) -> Iterator[tuple[Order, Line]]:
    for order in orders:
        for line in order.shown_lines():
            if line.kind == kind:
                yield order, line


def _keyed(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """By order and project, each once."""
    kept: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in rows:
        assert row[:2] not in kept, f"{row[:2]} is listed twice"
        kept[row[:2]] = row[2:]
    return kept


def _is_gone(order: Order, line: Line) -> bool:
    return line.is_gone and (line.amount_micro > 0 or order.gone == order.charged)


def _read_offset(one: Any) -> tuple[Any, ...]:
    return (
        one["order_group_id"], one["project_id"], Fraction(one["tons"]),
        Fraction(one["amount_paid_by_customer"]), one["charge_currency"], one["portfolio_id"],
        one["standing"], one["payment_method"], one["refunded_at"] is not None,
        Fraction(one["refunded_tons"]),
    )  # fmt: skip


def _offset(order: Order, line: Line) -> tuple[Any, ...]:
    return (
        order.group, line.project_id, tonnes(line.mass_mg),
        cents(line.shown_micro), order.currency, order.portfolio_id,
        line.standing, order.method, _is_gone(order, line),
        tonnes(line.gone_mg),
    )  # fmt: skip


def _read_trees(one: Any) -> tuple[Any, ...]:
    return (
        one["orderGroupId"], "trees", one["amountOfTrees"], one["amountCharged"], one["currency"],
        one["paymentMethod"], one["refundedTrees"], one["fulfillmentStatus"],
    )  # fmt: skip


def _trees(order: Order, line: Line) -> tuple[Any, ...]:
    status = "cancelled" if _is_gone(order, line) else "pending"
    return (
        order.group, "trees", line.trees, order.charged, order.currency,
        order.method, line.gone_trees, status,
    )  # fmt: skip


def _read_donation(one: Any) -> tuple[Any, ...]:
    return (
        one["orderGroupId"], one["projectId"], Fraction(one["amountPaidByCustomer"]),
        one["refundedAt"] is not None, Fraction(one["amountRefunded"]),
    )  # fmt: skip


def _donation(order: Order, line: Line) -> tuple[Any, ...]:
    # What is shown may differ from the books by a part of a cent; all of it is back, or not.
    gone = _is_gone(order, line)
    back = line.shown_micro if gone else min(line.gone_micro, line.shown_micro)
    return order.group, line.project_id, cents(line.shown_micro), gone, cents(back)


def _read_purchase(one: Any) -> dict[str, Any]:
    return {
        **{name: one[name] for name in PURCHASE_FIELDS},
        "totalTons": Fraction(one["totalTons"]),
        "refundedTons": Fraction(one["refundedTons"]),
        "amountRefundedInUsdCents": Fraction(one["amountRefundedInUsdCents"]),
    }


PURCHASE_FIELDS = (
    "stripeChargeId", "purchaseId", "totalAmountPaidByCustomer", "totalTrees", "hasOffsetOrders",
    "hasProjectDonations", "hasTreeOrders", "paymentMethod", "state", "refunded", "amountCharged",
    "currency", "amountRefunded", "refundedTrees",
)  # fmt: skip


def _purchase(order: Order) -> dict[str, Any]:
    lines = order.price.lines
    certified = [line for line in lines if line.standing == "certified"]
    return {
        "stripeChargeId": order.group,
        "purchaseId": order.id,
        "totalAmountPaidByCustomer": order.price.cents,
        "totalTrees": sum(line.trees for line in lines),
        "hasOffsetOrders": any(line.kind == "offset" for line in lines),
        "hasProjectDonations": any(line.kind == "donation" for line in lines),
        "hasTreeOrders": any(line.kind == "tree" for line in lines),
        "paymentMethod": order.method,
        "state": order.state,
        "refunded": order.state == "refunded",
        "amountCharged": order.charged,
        "currency": order.currency,
        "amountRefunded": order.gone,
        "refundedTrees": sum(line.gone_trees for line in lines),
        "totalTons": tonnes(sum(line.mass_mg for line in certified)),
        "refundedTons": tonnes(sum(line.gone_mg for line in certified)),
        "amountRefundedInUsdCents": cents(sum(line.gone_micro for line in lines)),
    }


def check_top_up(body: Any, top_up: TopUp) -> None:
    """The answer to a top-up."""
    same(
        {name: body[name] for name in ("amountCharged", "currency", "creditBalance")},
        {
            "amountCharged": top_up.charged,
            "currency": top_up.currency,
            "creditBalance": top_up.account.balance,
        },
    )
