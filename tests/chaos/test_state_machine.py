"""A shop of many hands against a plain model of it, step by step, in whatever order chance draws.

Hypothesis draws the steps and, if one of them comes to another end than the model, shrinks them to
the fewest that still do. `make test` takes 2,000 steps, `make chaos` 10,000; a failure names its
seed, and the steps that led to it.
"""

import logging
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeVar

import pytest
import structlog
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

from tests.support import model_background as background
from tests.support import model_buying as buying
from tests.support import model_returning as returning
from tests.support.books import strict_findings
from tests.support.mail_sink import running_sink
from tests.support.model_buying import Wish
from tests.support.model_double import DECLINED, PLAIN, Double, Fault
from tests.support.model_prices import MG_PER_TONNE, Price
from tests.support.model_rows import same
from tests.support.model_shops import DONATIONS, MIXED, MONEY, Shops
from tests.support.model_things import Account, Charge, Dispute, Order, TopUp
from tests.support.waiting import wait_until

T = TypeVar("T")

STEPS_OF_A_RUN = 75
STEPS_OF_A_TEST = 500
LOOK_EVERY = 10
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
    lambda struck, blind: Fault(struck[0], struck[1], blind),
    st.sampled_from([*LOST, ("429", "before")]),
    st.booleans(),
)
TOO_MUCH = st.sampled_from((15_001, -15_001))
MORE_THAN_A_DAY = timedelta(minutes=1_561)
SPANS = st.sampled_from(
    (background.A_WHILE, timedelta(minutes=28), timedelta(minutes=182), MORE_THAN_A_DAY)
)
"""However they add up, no bound of the product is met to the second."""
METHODS = st.sampled_from(("stripe", "credits"))
# One step more, because opening the accounts counts as one to Hypothesis, and not to us.
SETTINGS = settings(
    stateful_step_count=STEPS_OF_A_RUN + 1,
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


class Shopping(RuleBasedStateMachine):
    """What can happen, each drawn at any time."""

    def __init__(self, shops: Shops) -> None:
        super().__init__()
        self.shops = shops
        refilling, self.shelf = shops.next()
        self.double = Double(refilling)
        self.books = self.double.books
        self.steps = -1

    @initialize(other=st.sampled_from(("EUR", "JPY", "KWD")), card=st.sampled_from((*CARDS, None)))
    def open_accounts(self, other: str, card: str | None) -> None:
        """One account in dollars, and one in another currency, maybe without a card."""
        buying.open_account(self.double, MONEY["USD"], PLAIN, START_CENTS)
        buying.open_account(self.double, MONEY[other], card, START_CENTS)

    # Orders.

    @rule(mass_mg=MASSES_MG, portfolio=PORTFOLIOS, **ORDERS)
    def order_offsets(self, who: int, mass_mg: int, portfolio: int, **how: Any) -> None:
        """Tonnes of a portfolio."""
        self._order_offsets(who, mass_mg, portfolio, **how)

    @rule(mass_mg=MASSES_MG, portfolio=PORTFOLIOS, who=PICK, receipt=st.booleans())
    def order_offsets_from_credits(
        self, who: int, mass_mg: int, portfolio: int, receipt: bool
    ) -> None:
        """The same as most of them are."""
        self._order_offsets(who, mass_mg, portfolio, method="credits", receipt=receipt)

    @rule(who=PICK, mass_mg=DOLLARS_MG, portfolio=PORTFOLIOS, fault=FAULTS)
    def order_and_lose_the_answer(
        self, who: int, mass_mg: int, portfolio: int, fault: Fault
    ) -> None:
        """The same by card, and the processor's answer does not come."""
        self._order_offsets(who, mass_mg, portfolio, method="stripe", fault=fault)

    @rule(trees=st.integers(1, 25), **ORDERS)
    def order_trees(self, who: int, trees: int, **how: Any) -> None:
        """Some trees."""
        self._order("tree", who, {"amountOfTrees": trees}, self.shelf.trees(trees), **how)

    @rule(project=st.sampled_from((DONATIONS, 1, 18)), cents=st.integers(100, 4_000), **ORDERS)
    def order_project(self, who: int, project: int, cents: int, **how: Any) -> None:
        """An amount for one project: tonnes, or a donation."""
        self._order_project(who, project, cents, **how)

    @rule(who=PICK)
    def spend_all(self, who: int) -> None:
        """What a wallet holds, to the last cent."""
        cents = max(100, self._who(who).balance)
        self._order_project(who, DONATIONS, cents, method="credits")

    @rule(which=PICK, other_body=st.booleans())
    @precondition(lambda self: self.double.kept)
    def retry(self, which: int, other_body: bool) -> None:
        """A request again under its key."""
        buying.retry(self.double, _pick(self.double.kept, which), other_body=other_body)

    # Credits.

    @rule(who=PICK, cents=st.integers(90, 8_000), fault=st.none() | FAULTS)
    def top_up(self, who: int, cents: int, fault: Fault | None) -> None:
        """Credits by card."""
        buying.top_up(self.double, self._who(who), cents, fault)

    @rule(who=PICK, change=st.integers(-5_000, 4_000).filter(bool) | TOO_MUCH)
    def adjust(self, who: int, change: int) -> None:
        """An operator's change of credits."""
        buying.adjust(self.double, self._who(who), change)

    @rule(who=PICK, below=st.sampled_from((5_000, 500, 0)), amount=st.integers(100, 4_000))
    def set_refill(self, who: int, below: int, amount: int) -> None:
        """The owner wants to be refilled, or not any more."""
        buying.set_refill(self.double, self._who(who), below, amount)

    @rule(who=PICK, card=st.sampled_from(CARDS))
    def change_card(self, who: int, card: str) -> None:
        """Another card."""
        buying.change_card(self.double, self._who(who), card)

    # What goes back.

    @rule(which=PICK, part=PARTS, name=st.sampled_from((None, None, "a", "b")))
    @precondition(lambda self: self.books.orders)
    def refund_order(self, which: int, part: int | None, name: str | None) -> None:
        """An operator refunds an order."""
        order = _pick(self.books.orders, which)
        returning.refund_order(self.double, order, _amount(order, part), name=name)

    @rule(which=PICK, part=PARTS, name=st.sampled_from((None, "a")), fault=FAULTS)
    @precondition(lambda self: self._charges(Order))
    def refund_and_lose_the_answer(
        self, which: int, part: int | None, name: str | None, fault: Fault
    ) -> None:
        """The same by card, and the processor's answer does not come."""
        order = _pick(self._charges(Order), which).paid_for
        assert isinstance(order, Order)
        returning.refund_order(self.double, order, _amount(order, part), name=name, fault=fault)

    @rule(which=PICK, part=PARTS, fault=st.none() | FAULTS)
    @precondition(lambda self: self.books.top_ups)
    def refund_top_up(self, which: int, part: int | None, fault: Fault | None) -> None:
        """An operator gives credits back to the card."""
        top_up = _pick(self.books.top_ups, which)
        returning.refund_top_up(self.double, top_up, _amount(top_up, part), fault)

    @rule(which=PICK, part=st.integers(1, 1_000))
    @precondition(lambda self: self.books.charges)
    def refund_in_the_dashboard(self, which: int, part: int) -> None:
        """Somebody refunds a charge at the processor."""
        charge = _pick(self.books.charges, which)
        returning.refund_in_the_dashboard(self.double, charge, _amount(charge.paid_for, part) or 0)

    @rule(which=PICK, part=PARTS, inquiry=st.sampled_from((False, False, False, True)))
    @precondition(lambda self: self.books.charges)
    def dispute(self, which: int, part: int | None, inquiry: bool) -> None:
        """A card's owner takes a charge back, or a part of it; or their bank only asks."""
        self._dispute(_pick(self.books.charges, which), part, inquiry=inquiry)

    @rule(which=PICK, part=PARTS, heard=st.booleans(), outcome=st.sampled_from(("lost", "won")))
    @precondition(lambda self: self.books.charges)
    def dispute_to_the_end(self, which: int, part: int | None, heard: bool, outcome: str) -> None:
        """The same, and the bank decides, maybe before we have heard of it."""
        opened = self._dispute(_pick(self.books.charges, which), part, inquiry=False)
        if opened is not None:
            if heard:
                background.hear(self.double)
            returning.decide(self.double, opened, outcome)

    @rule(which=PICK, part=PARTS)
    @precondition(lambda self: self._charges(TopUp))
    def lose_a_top_up(self, which: int, part: int | None) -> None:
        """Credits are disputed, and lost."""
        opened = self._dispute(_pick(self._charges(TopUp), which), part, inquiry=False)
        if opened is not None:
            returning.decide(self.double, opened, "lost")

    @rule(which=PICK, outcome=st.sampled_from(("lost", "won")))
    @precondition(lambda self: self._undecided())
    def decide(self, which: int, outcome: str) -> None:
        """The bank decides about a dispute."""
        returning.decide(self.double, _pick(self._undecided(), which), outcome)

    # What happens by itself.

    @rule(span=SPANS, events=st.booleans())
    def pass_time(self, span: timedelta, events: bool) -> None:
        """Time passes."""
        background.pass_time(self.double, span, events=events)

    @rule()
    @precondition(lambda self: self.books.news)
    def hear(self) -> None:
        """The processor's events come."""
        background.hear(self.double)

    @rule()
    @precondition(lambda self: any(kind != "paid" for kind, *_ in self.books.news))
    def reconcile(self) -> None:
        """The processor's lists are read."""
        background.reconcile(self.double)

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
        background.pass_time(self.double, background.A_WHILE, events=True)
        for _ in range(4):
            if not self._is_open():
                break
            background.pass_time(self.double, MORE_THAN_A_DAY, events=True)
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

    def _order(self, kind: str, who: int, what: dict[str, Any], price: Price, **how: Any) -> None:
        wish = Wish(kind=kind, what=what, price=price, **how)
        buying.order(self.double, self._who(who), wish)

    def _order_offsets(self, who: int, mass_mg: int, portfolio: int, **how: Any) -> None:
        what = {"tons": mass_mg / MG_PER_TONNE, "portfolioId": portfolio}
        self._order("offset", who, what, self.shelf.offset(mass_mg, portfolio), **how)

    def _order_project(self, who: int, project: int, cents: int, **how: Any) -> None:
        what = {"projectId": project, "amountInUsdCents": cents}
        self._order("project", who, what, self.shelf.project(project, cents), **how)

    def _dispute(self, charge: Charge, part: int | None, *, inquiry: bool) -> Dispute | None:
        amount = charge.left if part is None else _amount(charge.paid_for, part) or 0
        return returning.dispute(self.double, charge, amount, inquiry=inquiry)

    def _who(self, which: int) -> Account:
        return self.books.accounts[which % len(self.books.accounts)]

    def _charges(self, kind: type) -> list[Charge]:
        return [one for one in self.books.charges if isinstance(one.paid_for, kind)]

    def _undecided(self) -> list[Dispute]:
        # The processor's control decides about the newest dispute of a charge.
        newest = [one.disputes[-1] for one in self.books.charges if one.disputes]
        return [one for one in newest if one.status.endswith("needs_response")]


def _pick(things: list[T], which: int) -> T:
    return things[-1 - which % len(things)]


def _amount(paid: Order | TopUp, part: int | None) -> int | None:
    """Thousandths of what was charged, as far as the processor can count them."""
    if part is None:
        return None
    by_card = isinstance(paid, TopUp) or paid.method == "stripe"
    step = paid.account.money.step if by_card else 1
    return max(paid.charged * part // 1_000 // step * step, step)


@pytest.fixture(scope="module")
def shops(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shops]:
    """The shops of this module, and the mailbox of all of them."""
    before = structlog.get_config()
    # A run says megabytes of what went well, and a failure tells its steps.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with running_sink(tmp_path_factory.mktemp("sink")) as sink:
        opened = Shops(server_url, template, sink)
        try:
            yield opened
        finally:
            opened.close()
            structlog.configure(**before)


def run(shops: Shops, number: int) -> None:
    """Runs until so many steps were taken; they are drawn from the seeds after `number`."""
    until = shops.steps + STEPS_OF_A_TEST
    while (missing := until - shops.steps) > 0:
        number += 1
        # The first run that Hypothesis draws is the dullest there is, and some end early.
        runs = missing // STEPS_OF_A_RUN + 1

        def machine() -> Shopping:
            return Shopping(shops)

        drawn: Any = seed(number)(machine)
        try:
            run_state_machine_as_test(drawn, settings=settings(SETTINGS, max_examples=runs))
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
