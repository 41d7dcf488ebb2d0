"""A shop of many hands against a plain model of it, step by step, in whatever order chance draws.

Hypothesis draws the steps and, if one of them comes to another end than the model, shrinks them to
the fewest that still do. `make test` takes 2,000 steps, `make chaos` 10,000; a failure names its
seed, and the steps that led to it.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fieldfare.catalog.model import PortfolioRow, Rows, WeightRow
from tests.support.books import strict_findings
from tests.support.cards import CardShop, card_shop
from tests.support.mail_sink import MailSink, running_sink
from tests.support.model_books import REFILLS_PER_DAY, Account, Charge, Order, TopUp
from tests.support.model_checks import read, same
from tests.support.model_double import DECLINED, PAST_THE_KEY, PLAIN, Double, Fault
from tests.support.model_prices import Money, Shelf, read_shelf
from tests.support.refilling import Refilling
from tests.support.selling import change_catalogue
from tests.support.waiting import wait_until

T = TypeVar("T")

STEPS = 50
RUNS_OF_A_SEED = 5
STEPS_OF_A_TEST = 500
LOOK_EVERY = 10
MIXED = 41
RATES = {"EUR": "0.9137", "JPY": "155.25", "KWD": "0.30715"}
ON = date(2026, 11, 20)
MONEY = {
    "USD": Money("USD", 100, 1, Fraction(1)),
    "EUR": Money("EUR", 100, 1, Fraction(RATES["EUR"])),
    "JPY": Money("JPY", 1, 1, Fraction(RATES["JPY"])),
    "KWD": Money("KWD", 1_000, 10, Fraction(RATES["KWD"])),
}
START_CENTS = 4_000
CARDS = (PLAIN, PLAIN, "pm_card_refundFail", "pm_card_pendingRefund", DECLINED)

PICK = st.integers(0, 11)
"""Which of several, counted from the newest."""
DOLLARS_MG = st.integers(70_000_000, 1_500_000_000)
MASSES_MG = DOLLARS_MG | DOLLARS_MG | st.integers(1, 60_000_000)
PORTFOLIOS = st.sampled_from((MIXED, 12, 21, 2))
PARTS = st.none() | st.integers(1, 1_100)
"""Of a charge, in thousandths: some are more than there is."""
LOST = [(kind, when) for kind in ("reset", "500", "half") for when in ("after", "before")]
FAULTS = st.builds(
    lambda struck, blind: Fault(*struck, blind=blind),
    st.sampled_from([*LOST, ("429", "before")]),
    st.booleans(),
)
SPANS = st.sampled_from((7, 28, 182, 1_561)).map(lambda minutes: timedelta(minutes=minutes))
"""However they add up, no bound of the product is met to the second."""
METHODS = st.sampled_from(("stripe", "credits"))
SETTINGS = settings(
    max_examples=RUNS_OF_A_SEED,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)
ORDERS: dict[str, Any] = {
    "who": PICK,
    "method": METHODS,
    "receipt": st.booleans(),
    "cap": st.sampled_from((None, None, None, -1, 0)),
    "keyed": st.booleans(),
    "dry": st.sampled_from((False, False, False, False, True)),
}


class Shops:
    """A shop for one run after the other; after a run that failed, the next one gets a new one."""

    def __init__(self, server_url: str, template: str, sink: MailSink) -> None:
        self._server = (server_url, template)
        self._sink = sink
        self._open = ExitStack()
        self._last: Refilling | None = None
        self._shelf: Shelf | None = None
        self.steps = 0
        self.is_clean = False

    def next(self) -> tuple[Refilling, Shelf]:
        """A shop in which nothing is on its way, and what it sells."""
        if not self.is_clean or self._last is None or self._shelf is None:
            self.close()
            shop = self._open.enter_context(card_shop(*self._server))
            self._last, self._shelf = self._furnish(shop)
        self.is_clean = False
        self._sink.reset()
        return self._last, self._shelf

    def _furnish(self, shop: CardShop) -> tuple[Refilling, Shelf]:
        shop.begin()
        for code, rate in RATES.items():
            shop.set_rate(code, rate, ON)
        weights = {1: 250_000, 2: 300_000, 18: 200_000, 31: 250_000}
        mixed = PortfolioRow(
            id=MIXED,
            name="Mixed",
            description="Tonnes and a donation.",
            weights=tuple(WeightRow(project_id=one, weight_ppm=ppm) for one, ppm in weights.items()),
        )
        change_catalogue(shop.database_url, Rows(portfolios=(mixed,)))
        wait_until(lambda: f'"id":{MIXED}' in shop.http.get("/api/portfolios").text)
        team = shop.team(None)

        def ask(method: str, path: str, body: Any) -> Any:
            headers = {"Authorization": f"Bearer {team.token}"}
            answer = shop.http.request(method, path, json=body, headers=headers)
            assert answer.status_code == httpx.codes.OK, answer.text
            return read(answer)

        refilling = Refilling(shop, self._sink)
        refilling.per_day = REFILLS_PER_DAY
        return refilling, read_shelf(ask)

    def close(self) -> None:
        """Give the shop back."""
        self._open.close()
        self._last = None


class Shopping(RuleBasedStateMachine):
    """What can happen, each drawn at any time."""

    def __init__(self, shops: Shops) -> None:
        super().__init__()
        self.shops = shops
        refilling, self.shelf = shops.next()
        self.double = Double(refilling)
        self.books = self.double.books
        self.steps = 0

    @initialize(other=st.sampled_from(("EUR", "JPY", "KWD")), card=st.sampled_from((*CARDS, None)))
    def open_accounts(self, other: str, card: str | None) -> None:
        """One account in dollars, and one in another currency, maybe without a card."""
        self.double.open_account(MONEY["USD"], PLAIN, START_CENTS)
        self.double.open_account(MONEY[other], card, START_CENTS)

    # Orders.

    @rule(mass_mg=MASSES_MG, portfolio=PORTFOLIOS, **ORDERS)
    def order_offsets(self, who: int, mass_mg: int, portfolio: int, **fields: Any) -> None:
        """Tonnes of a portfolio."""
        body = {"tons": mass_mg / 10**9, "portfolioId": portfolio}
        price = self.shelf.offset(mass_mg, portfolio)
        self.double.order(self._who(who), "/api/offset-orders", body, price, **fields)

    @rule(mass_mg=MASSES_MG, portfolio=PORTFOLIOS, who=PICK, receipt=st.booleans())
    def order_offsets_plainly(self, who: int, mass_mg: int, portfolio: int, receipt: bool) -> None:
        """The same from credits, as most orders are."""
        body = {"tons": mass_mg / 10**9, "portfolioId": portfolio}
        price = self.shelf.offset(mass_mg, portfolio)
        self.double.order(
            self._who(who), "/api/offset-orders", body, price, method="credits", receipt=receipt
        )

    @rule(trees=st.integers(1, 25), **ORDERS)
    def order_trees(self, who: int, trees: int, **fields: Any) -> None:
        """Some trees."""
        body = {"amountOfTrees": trees}
        self.double.order(
            self._who(who), "/api/tree-orders", body, self.shelf.trees(trees), **fields
        )

    @rule(project=st.sampled_from((31, 1, 18)), cents=st.integers(100, 4_000), **ORDERS)
    def order_project(self, who: int, project: int, cents: int, **fields: Any) -> None:
        """An amount for one project: tonnes, or a donation."""
        body = {"projectId": project, "amountInUsdCents": cents}
        price = self.shelf.project(project, cents)
        self.double.order(self._who(who), "/api/project-orders", body, price, **fields)

    @rule(who=PICK, mass_mg=DOLLARS_MG, portfolio=PORTFOLIOS, fault=FAULTS)
    def order_and_lose_the_answer(
        self, who: int, mass_mg: int, portfolio: int, fault: Fault
    ) -> None:
        """Tonnes by card, and the processor's answer does not come."""
        body = {"tons": mass_mg / 10**9, "portfolioId": portfolio}
        price = self.shelf.offset(mass_mg, portfolio)
        self.double.order(
            self._who(who), "/api/offset-orders", body, price, method="stripe", fault=fault
        )

    @rule(who=PICK)
    def spend_all(self, who: int) -> None:
        """What a wallet holds, to the last cent."""
        account = self._who(who)
        cents = max(100, account.balance)
        body = {"projectId": 31, "amountInUsdCents": cents}
        price = self.shelf.project(31, cents)
        self.double.order(account, "/api/project-orders", body, price, method="credits")

    @rule(which=PICK, other_body=st.booleans())
    @precondition(lambda self: self.double.kept)
    def retry(self, which: int, other_body: bool) -> None:
        """A request again under its key."""
        self.double.retry(_pick(self.double.kept, which), other_body=other_body)

    # Credits.

    @rule(who=PICK, cents=st.integers(90, 8_000), fault=st.none() | FAULTS)
    def top_up(self, who: int, cents: int, fault: Fault | None) -> None:
        """Credits by card."""
        self.double.top_up(self._who(who), cents, fault)

    @rule(who=PICK, change=st.integers(-5_000, 4_000).filter(bool) | st.sampled_from((15_001, -15_001)))
    def adjust(self, who: int, change: int) -> None:
        """An operator's change of credits."""
        self.double.adjust(self._who(who), change)

    @rule(who=PICK, below=st.sampled_from((5_000, 500, 0)), amount=st.integers(100, 4_000))
    def set_refill(self, who: int, below: int, amount: int) -> None:
        """The owner wants to be refilled, or not any more."""
        self.double.set_refill(self._who(who), below, amount)

    @rule(who=PICK, card=st.sampled_from(CARDS))
    def change_card(self, who: int, card: str) -> None:
        """Another card."""
        self.double.change_card(self._who(who), card)

    # What goes back.

    @rule(which=PICK, part=PARTS, name=st.sampled_from((None, None, "a", "b")))
    @precondition(lambda self: self.books.orders)
    def refund_order(self, which: int, part: int | None, name: str | None) -> None:
        """An operator refunds an order."""
        order = _pick(self.books.orders, which)
        self.double.refund_order(order, _amount(order, part), name=name)

    @rule(which=PICK, part=PARTS, name=st.sampled_from((None, "a")), fault=FAULTS)
    @precondition(lambda self: self._charges(Order))
    def refund_and_lose_the_answer(
        self, which: int, part: int | None, name: str | None, fault: Fault
    ) -> None:
        """The same by card, and the processor's answer does not come."""
        order = _pick(self._charges(Order), which).paid_for
        assert isinstance(order, Order)
        self.double.refund_order(order, _amount(order, part), name=name, fault=fault)

    @rule(which=PICK, part=PARTS, fault=st.none() | FAULTS)
    @precondition(lambda self: self.books.top_ups)
    def refund_top_up(self, which: int, part: int | None, fault: Fault | None) -> None:
        """An operator gives credits back to the card."""
        top_up = _pick(self.books.top_ups, which)
        self.double.refund_top_up(top_up, _amount(top_up, part), fault)

    @rule(which=PICK, part=st.integers(1, 1_000))
    @precondition(lambda self: self.books.charges)
    def refund_in_the_dashboard(self, which: int, part: int) -> None:
        """Somebody refunds a charge at the processor."""
        charge = _pick(self.books.charges, which)
        amount = _amount(charge.paid_for, part)
        assert amount is not None
        self.double.refund_in_the_dashboard(charge, amount)

    @rule(which=PICK, part=PARTS, inquiry=st.sampled_from((False, False, False, True)))
    @precondition(lambda self: self.books.charges)
    def dispute(self, which: int, part: int | None, inquiry: bool) -> None:
        """A card's owner takes a charge back, or a part of it; or their bank only asks."""
        self._dispute(_pick(self.books.charges, which), part, inquiry=inquiry)

    @rule(which=PICK, part=PARTS)
    @precondition(lambda self: self._charges(TopUp))
    def lose_a_top_up(self, which: int, part: int | None) -> None:
        """The same of credits, and the bank decides for them before we have heard of it."""
        charge = _pick(self._charges(TopUp), which)
        if self._dispute(charge, part, inquiry=False):
            self.double.decide(charge.disputes[-1], "lost")

    @rule(which=PICK, outcome=st.sampled_from(("lost", "won")))
    @precondition(lambda self: self._undecided())
    def decide(self, which: int, outcome: str) -> None:
        """The bank decides about a dispute."""
        dispute = _pick(self._undecided(), which).disputes[-1]
        self.double.decide(dispute, outcome)

    # What happens by itself.

    @rule(span=SPANS, events=st.booleans())
    def pass_time(self, span: timedelta, events: bool) -> None:
        """Time passes."""
        self.double.pass_time(span, events=events)

    @rule()
    @precondition(lambda self: self.books.news)
    def hear(self) -> None:
        """The processor's events come."""
        self.double.hear()

    @rule()
    @precondition(lambda self: any(kind != "paid" for kind, *_ in self.books.news))
    def reconcile(self) -> None:
        """The processor's lists are read."""
        self.double.reconcile()

    # What must hold.

    @invariant()
    def looks_the_same(self) -> None:
        """What the step was about; now and then everything of an account."""
        self.steps += 1
        self.books.now += 1
        touched, self.double.touched = self.double.touched, []
        for one in dict.fromkeys(touched):
            if isinstance(one, Account):
                self.double.looks.wallet(one)
            else:
                self.double.looks.order(one)
        if self.steps % LOOK_EVERY == 0:
            looks, accounts = self.double.looks, self.books.accounts
            looks.account(accounts[self.steps // LOOK_EVERY % len(accounts)])
            looks.processor()

    def teardown(self) -> None:
        """The dust settles, and everything is compared; not after a step that failed."""
        if sys.exc_info()[0] is None and self.books.accounts:
            self._settle()
            self._compare()
            self.shops.is_clean = True
        self.shops.steps += self.steps

    def _settle(self) -> None:
        self.double.pass_time(timedelta(minutes=7), events=True)
        for _ in range(4):
            if not self._is_open():
                break
            self.double.pass_time(PAST_THE_KEY, events=True)
        assert not self._is_open(), "something is never settled"
        self.double.shop.sql("update accounts.refill set is_on = false where is_on")

    def _is_open(self) -> bool:
        paid = [*self.books.orders, *self.books.top_ups]
        return any(
            one.state == "pending" or any(refund.state == "pending" for refund in one.refunds)
            for one in paid
        )

    def _compare(self) -> None:
        looks = self.double.looks
        for account in self.books.accounts:
            looks.account(account)
        for order in self.books.orders:
            looks.order(order)
        looks.database()
        looks.processor()
        wait_until(looks.balance_is_there)
        looks.balance()
        looks.mails(self.double.refilling.mails())
        same(strict_findings(self.double.shop), [])

    # Who and what.

    def _who(self, which: int) -> Account:
        return self.books.accounts[which % len(self.books.accounts)]

    def _dispute(self, charge: Charge, part: int | None, *, inquiry: bool) -> bool:
        amount = charge.left if part is None else _amount(charge.paid_for, part)
        assert amount is not None
        return self.double.dispute(charge, amount, inquiry=inquiry)

    def _charges(self, kind: type) -> list[Charge]:
        return [one for one in self.books.charges if isinstance(one.paid_for, kind)]

    def _undecided(self) -> list[Charge]:
        return [
            one
            for one in self.books.charges
            if one.disputes and one.disputes[-1].status.endswith("needs_response")
        ]


def _pick(things: list[T], which: int) -> T:
    return things[-1 - which % len(things)]


def _amount(paid: Any, part: int | None) -> int | None:
    """Thousandths of what was charged, as far as the processor can count them."""
    if part is None:
        return None
    step = 1 if getattr(paid, "method", "stripe") == "credits" else paid.account.money.step
    return max(paid.charged * part // 1_000 // step * step, step)


@pytest.fixture(scope="module")
def shops(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shops]:
    """The shops of this module, and the mailbox of all of them."""
    with running_sink(tmp_path_factory.mktemp("sink")) as sink:
        opened = Shops(server_url, template, sink)
        try:
            yield opened
        finally:
            opened.close()


def run(shops: Shops, number: int) -> None:
    """Runs until so many steps were taken, each drawn from a seed of its own."""
    until = shops.steps + STEPS_OF_A_TEST
    while shops.steps < until:
        number += 1

        def machine() -> Shopping:
            return Shopping(shops)

        drawn: Any = seed(number)(machine)
        try:
            run_state_machine_as_test(drawn, settings=SETTINGS)
        except BaseException as failure:
            failure.add_note(f"Drawn from seed {number}.")
            raise


@pytest.mark.parametrize("number", [100, 200, 300, 400])
def test_a_shop_and_its_model_stay_the_same(shops: Shops, number: int) -> None:
    run(shops, number)


@pytest.mark.long
@pytest.mark.parametrize("number", range(1_000, 3_000, 100))
def test_they_stay_the_same_for_long(shops: Shops, number: int) -> None:
    run(shops, number)
