"""What the product shows, held against the plain model: over the API, in the database, in the
processor's record, and in the mailbox.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import httpx

from tests.support.cards import CardShop
from tests.support.model_books import Books
from tests.support.model_rows import (
    donation_row,
    keyed,
    lines_of,
    offset_row,
    purchase_row,
    read,
    read_donation,
    read_offset,
    read_purchase,
    read_refund,
    read_trees,
    same,
    tonnes,
    tree_row,
)
from tests.support.model_things import Account, Order, Paid

PAGE = 200
TRUTHS = ("charges", "refunds", "disputes", "balance_transactions")
CERTIFIED = {"certified", "external_standard"}
ORDER_FIELDS = (
    "purchaseId", "kind", "state", "paymentMethod", "amountCharged", "currency",
    "amountInUsdCents", "tons", "trees", "portfolioId", "projectId", "amountRefunded",
)  # fmt: skip


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
        same([read_refund(one) for one in found["refunds"]], [row.told for row in order.rows])

    def lists(self, account: Account) -> None:
        """Every list of orders, and the totals."""
        orders = [one for one in self.books.orders if one.account is account]
        self._offsets(account, orders)
        trees = self.get(account, "/api/tree-orders")["treeOrders"]
        same(
            keyed(read_trees(one) for one in trees),
            keyed(tree_row(order, line) for order, line in lines_of(orders, "tree")),
        )
        donations = self.get(account, "/api/project-donations")
        same(
            keyed(read_donation(one) for one in donations),
            keyed(donation_row(order, line) for order, line in lines_of(orders, "donation")),
        )
        purchases = self.get(account, "/api/purchases")["purchases"]
        same(
            [read_purchase(one) for one in purchases],
            [purchase_row(order) for order in reversed(orders) if order.shown_lines()],
        )

    def _offsets(self, account: Account, orders: list[Order]) -> None:
        found = self.get(account, "/api/offset-orders")
        lines = list(lines_of(orders, "offset"))
        certified = [pair for pair in lines if pair[1].standing in CERTIFIED]
        others = [pair for pair in lines if pair[1].standing not in CERTIFIED]
        for name, expected in (("offsetOrders", certified), ("uncertifiedOffsetOrders", others)):
            same(
                keyed(read_offset(one) for one in found[name]),
                keyed(offset_row(order, line) for order, line in expected),
            )
        standing_mg = sum(line.mass_mg - line.gone_mg for _, line in certified)
        same(Fraction(found["stats"]["totalTons"]), tonnes(standing_mg))

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
            certified = (one.mass_mg - one.gone_mg for one in lines if one.standing in CERTIFIED)
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
            {
                (one["id"], one["charge"], one["amount"], one["status"])
                for one in self._new("refunds")
            },
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
        """Whether as much has moved at the processor as should; a charge takes a moment."""
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
