"""When an account's credits are refilled, and when they are not although they run low.

What must hold: one refill at a time, and never more than a set number in 24 hours. What the
processor did not even begin (it was too busy, or our key was refused) is no refill and nobody's
failure: it is put off.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from fieldfare.accounts.model import Refill
from fieldfare.ledger.model import Wallet
from fieldfare.payments.model import RecentRefill

REST = timedelta(hours=1)
"""After a failure, before the next try."""
PUT_OFF = timedelta(minutes=15)
"""After a try that the processor did not begin."""
_NOT_BEGUN = ("busy: ", "unauthorized: ")


def was_put_off(failure_code: str | None) -> bool:
    """Whether a payment failed because the processor did not begin, through no fault of its own."""
    return failure_code is not None and failure_code.startswith(_NOT_BEGUN)


def why_no_refill(
    refill: Refill,
    wallet: Wallet,
    recent: Sequence[RecentRefill],
    last_failed_at: datetime | None,
    *,
    per_day: int,
    now: datetime,
) -> str | None:
    """What speaks against a refill now, in a few words; None if it is due.

    `recent` are the refills of the last 24 hours, and one that is under way; `last_failed_at` is
    when a failure was last counted, which can be later than it failed, or without any refill.
    """
    if not refill.is_on:
        return "switched off"
    if any(one.state == "pending" for one in recent):
        return "one is under way"
    if wallet.balance_cents >= refill.below_cents:
        return "not needed"
    if wallet.owed_cents:
        # What is owed would take it, and a bank has just taken back what this card paid.
        return "it owes for a lost dispute"
    begun = [one for one in recent if not was_put_off(one.failure_code)]
    failed_at = [one.settled_at for one in begun if one.state == "failed"]
    if _any_after(max(refill.changed_at, now - REST), [last_failed_at, *failed_at]):
        return "resting after a failure"
    put_off_at = [one.settled_at for one in recent if was_put_off(one.failure_code)]
    if _any_after(now - PUT_OFF, put_off_at):
        return "put off by the processor"
    if len(begun) >= per_day:
        return "as often as a day allows"
    return None


def _any_after(bound: datetime, instants: Iterable[datetime | None]) -> bool:
    return any(instant is not None and instant > bound for instant in instants)
