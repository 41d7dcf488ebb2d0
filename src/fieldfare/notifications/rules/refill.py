"""The mail about a refill that came to nothing, as the strings that stand in it.

What must hold: text and HTML are made from one view; whatever word the bank or the processor gave
as its reason, the reader is told something true that names the next step.
"""

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

from fieldfare.kernel import formats
from fieldfare.kernel.text import shown_in_line
from fieldfare.notifications.model import RefillFailed
from fieldfare.notifications.rules.frame import (
    NAME_CHARACTERS,
    FrameView,
    RowView,
    greeting,
    mail_message_id,
    one_line,
)
from fieldfare.notifications.rules.refill_words import REFILL_WORDS, Reason, RefillWords, Step
from fieldfare.notifications.rules.words import WORDS

_REASONS: dict[str, Reason] = {
    "insufficient_funds": "funds",
    "expired_card": "expired",
    "authentication_required": "confirm",
    "card_velocity_exceeded": "limit",
    "withdrawal_count_limit_exceeded": "limit",
    "no_payment_method": "no_card",
    "no_exchange_rate": "no_rate",
    "above_maximum": "too_much",
    "below_minimum": "too_much",
    "never_carried_out": "refused",
}
_STEPS: dict[Reason, Step] = {
    "declined": "other_card",
    "funds": "other_card",
    "expired": "other_card",
    "confirm": "other_card",
    "limit": "other_card",
    "no_card": "add_card",
    "no_rate": "ask_us",
    "too_much": "less",
    "refused": "ask_us",
}


class RefillFailedView(FrameView, frozen=True, kw_only=True):
    """Everything that the mail shows, ready to be placed."""

    amount: RowView
    what: str
    step: str
    then: str
    """Whether it is tried again, and what that means."""


def refill_message_id(failure_id: UUID, host: str) -> str:
    """The Message-ID of the mail about a failure: see `mail_message_id`."""
    return mail_message_id("refill-failed", failure_id, host)


def reason_of(code: str) -> Reason:
    """What a code means to the reader; what the bank said beyond that is its own affair."""
    if code.startswith("refused:"):
        return "refused"
    return _REASONS.get(code, "declined")


def view_refill_failed(failed: RefillFailed) -> RefillFailedView:
    """What the mail about a refill that came to nothing shows."""
    language = failed.language
    words = REFILL_WORDS[language]
    seller = one_line(failed.seller_name, NAME_CHARACTERS)
    amount = formats.usd(Decimal(failed.amount_cents), language)
    headline = words.failed if failed.left_on else words.switched_off
    return RefillFailedView(
        language=language,
        to_name=shown_in_line(failed.account_name, NAME_CHARACTERS),
        subject=f"{headline} · {amount}".replace(formats.NBSP, " "),
        title=words.title,
        colon=WORDS[language].colon,
        seller=seller,
        greeting=greeting(failed.account_name, WORDS[language]),
        headline=headline,
        amount=RowView(label=words.amount, value=amount),
        what=words.what.format(amount=amount),
        step=words.steps[_STEPS[reason_of(failed.code)]],
        then=words.again if failed.left_on else words.off,
        facts=list(_facts(failed, words)),
        footer=words.footer.format(seller=seller),
    )


def _facts(failed: RefillFailed, words: RefillWords) -> Iterator[RowView]:
    yield RowView(label=words.reason, value=words.reasons[reason_of(failed.code)])
    yield RowView(label=words.tried_at, value=formats.instant(failed.failed_at, failed.language))
    yield RowView(
        label=words.in_a_row,
        value=words.of_tries.format(number=failed.number, tries=failed.tries),
    )
    name = one_line(failed.account_name, NAME_CHARACTERS)
    yield RowView(label=words.account, value=f"{name} ({failed.account_id})")
