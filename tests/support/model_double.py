"""Everything done twice, in a running shop and in the plain model, and what is answered compared.

This is what the two are held by; what is done to them stands in `model_buying`, `model_returning`
and `model_background`. A request whose answer is lost leaves both in doubt: then the processor's
own record says whether it was carried out, and from there on both must come to the same end.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from hypothesis import note

from fieldfare.kernel.errors import ProblemError
from tests.support.cards import INTENTS
from tests.support.model_books import Books
from tests.support.model_checks import Looks
from tests.support.model_rows import read
from tests.support.model_things import Account, Charge, Order, Refund, Shown, TopUp
from tests.support.refilling import Refilling
from tests.support.refunds import REFUNDS
from tests.support.waiting import wait_until

T = TypeVar("T")

PLAIN = "pm_card_visa"
DECLINED = "pm_card_visa_chargeDeclined"
LATER = {"pm_card_pendingRefund": "succeeded", "pm_card_refundFail": "failed"}
"""Cards whose refunds end a moment later, and how."""
LOST_AFTER_S = 25 * 3_600
SENT_AGAIN_FOR_S = 23 * 3_600


@dataclass(frozen=True)
class Fault:
    """How the answer to a request is lost at the processor."""

    kind: str
    when: str
    blind: bool = False
    """Whether the look-up that follows fails as well."""

    @property
    def is_refusal(self) -> bool:
        """Whether it is no lost answer, but proves that nothing was begun."""
        return self.kind == "429"

    @property
    def is_sticky(self) -> bool:
        """Whether the processor did nothing, and will say so to every repeat."""
        return self.kind == "500" and self.when == "before"

    @property
    def leaves_doubt(self) -> bool:
        """Whether the outcome is not found out at once."""
        return not self.is_refusal and (self.is_sticky or self.blind)


@dataclass(eq=False)
class Kept:
    """A request with a key whose answer is kept."""

    account: Account
    path: str
    body: dict[str, Any]
    key: str
    status: int
    content: bytes
    paid: Order | TopUp | None
    """None if the card was declined."""


class Double:
    """A shop and its model."""

    def __init__(self, refilling: Refilling) -> None:
        self.refilling = refilling
        self.shop = refilling.shop
        self.books = Books()
        self.looks = Looks(self.shop, self.books)
        self.kept: list[Kept] = []
        self.named_refunds: dict[tuple[str, str], Refund | Shown] = {}
        """By order and by what their asker calls them."""
        self.touched: list[Account | Order] = []
        """What the last step was about."""
        self._keys = 0

    # What the product is asked.

    def post(self, account: Account, path: str, body: dict[str, Any], key: str | None) -> Any:
        """A request, and what is answered."""
        answer = self.shop.post(body, account.team, key, path=path)
        note(f"{path} {json.dumps(body)} -> {answer.status_code} {answer.text[:300]}")
        self.touched.append(account)
        return answer, read(answer)

    def keep(
        self,
        account: Account,
        path: str,
        body: dict[str, Any],
        key: str | None,
        answer: httpx.Response,
        paid: Order | TopUp | None = None,
    ) -> None:
        """The answer to a request with a key, which a repeat of it is to be given too."""
        if key is not None:
            kept = Kept(account, path, body, key, answer.status_code, answer.content, paid)
            self.kept.append(kept)

    def new_key(self) -> str:
        """A key that no request had."""
        self._keys += 1
        return f"key-{self._keys}"

    # What the processor does.

    @contextmanager
    def faults(self, fault: Fault | None, path: str = INTENTS) -> Iterator[Fault | None]:
        """The next request to a path is struck, and maybe the look-up after it."""
        if fault is None:
            yield None
            return
        self.shop.stripe.fault(fault.kind, when=fault.when, method="POST", path=path)
        if fault.blind:
            self.shop.stripe.fault("500", method="GET", path=path)
        yield fault
        self.shop.stripe.delete("faults")

    @contextmanager
    def refunding(self, charge: Charge | None, fault: Fault | None) -> Iterator[Fault | None]:
        """On some cards a refund ends a second later: not before we have looked at it."""
        if charge is None or charge.card not in LATER:
            with self.faults(fault, REFUNDS) as struck:
                yield struck
            return
        self.shop.stripe.advance(-30)
        yield None
        self.shop.stripe.advance(35)
        wait_until(lambda: self._all_ended(charge))

    def _all_ended(self, charge: Charge) -> bool:
        return all(one["status"] == LATER[charge.card] for one in self._refunds_there(charge))

    def _refunds_there(self, charge: Charge) -> list[Any]:
        """All refunds of a charge at the processor, newest first."""
        listed = self.shop.stripe.http.get(
            REFUNDS, params={"charge": charge.id, "limit": 100}, headers=self.secret()
        )
        rows: list[Any] = listed.json()["data"]
        return rows

    def secret(self) -> dict[str, str]:
        """What a request to the processor is signed with."""
        return {"Authorization": f"Bearer {self.shop.stripe.secret_key}"}

    # What it really did.

    def adopt(self, paid: Order | TopUp) -> None:
        """The processor's record says whether it was charged."""
        if paid.charge is None:
            for one in self.shop.stripe.truth("charges"):
                if one["paid"] and one["metadata"].get("subject_id") == paid.id:
                    self.books.charge(paid, one["id"])

    def adopt_refund(self, refund: Refund, charge: Charge) -> None:
        """The processor's record says whether it was given back."""
        if refund.seen is not None:
            return
        known = {seen.id for seen in charge.refunds}
        # Two of one amount that are both in doubt are as good as each other; the oldest is last.
        fresh = [
            one["id"]
            for one in self._refunds_there(charge)
            if one["id"] not in known and one["amount"] == refund.amount
        ]
        if fresh:
            refund.seen = self.books.refund_there(charge, fresh[-1], refund.amount)

    def look_at(self, refund: Refund) -> None:
        """Whoever asks about a refund on its way has the processor's record of it read."""
        charge = refund.of.charge
        if refund.state != "pending" or charge is None:
            return
        self.adopt_refund(refund, charge)
        self.books.finish_refunds(charge)
        if refund.seen is not None:
            self.books.end(refund)

    def may_be_unmade(self, one: Order | TopUp | Refund) -> None:
        """What was lost on its way is sent again, unless that is too late, or refused by now."""
        is_old = self.books.now - one.asked_at > SENT_AGAIN_FOR_S
        refused = isinstance(one, Refund) and not takes(one.of.charge, one.amount)
        assert one.is_stuck or is_old or refused, "it was to be sent again, and is not there"

    def is_long_ago(self, one: Order | TopUp | Refund) -> bool:
        """Whether it may be called lost: no list shows it a day and an hour after it was sent."""
        return self.books.now - one.asked_at > LOST_AFTER_S


def takes(charge: Charge | None, amount: int | None) -> bool:
    """Whether the processor gives so much of a charge back."""
    if charge is None or amount is None:
        return False
    return not charge.is_disputed and 0 < amount <= charge.left


def refused_as(ask: Callable[[], T]) -> tuple[str | None, T | None]:
    """With which code something is refused, and else what comes of it."""
    try:
        return None, ask()
    except ProblemError as problem:
        return problem.code, None
