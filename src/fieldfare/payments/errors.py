"""What can go wrong with a payment, as far as a client or the processor is told."""

from uuid import UUID

from fieldfare.kernel.errors import (
    AccessRefused,
    Conflict,
    InvalidRequest,
    NotFound,
    ProblemError,
    Unavailable,
)


def _ways_out(*ways: str, by_card_only: bool) -> str:
    """The next steps; an order can also be paid otherwise, a top-up cannot."""
    *others, last = ways if by_card_only else (*ways, 'pay with paymentMethod "credits"')
    return f"{', '.join([*others, f'or {last}' if others else last])}."


def _blamed(by_card_only: bool) -> str | None:
    return None if by_card_only else "paymentMethod"


class EventNotAccepted(InvalidRequest):
    """400: a message to the webhook that the processor did not sign just now."""

    code = "invalid_signature"


class ExceptionNotFound(NotFound):
    """No open exception has this id."""

    code = "exception_not_found"


class RateNotTaken(InvalidRequest):
    """A rate that an operator gave cannot be, or is too far from the one that holds."""

    code = "invalid_exchange_rate"


class RatesNotRead(Unavailable):
    """The source of reference rates gives none; those on record go on holding."""

    code = "rates_not_read"


class TopUpAmountRefused(InvalidRequest):
    """400: it was not said how many credits to buy."""

    code = "invalid_amount"


class BelowMinimum(InvalidRequest):
    """400: a card cannot be charged so little."""

    code = "below_minimum"


class AboveMaximum(InvalidRequest):
    """400: a card cannot be charged so much at once."""

    code = "above_maximum"


class WalletFull(AboveMaximum):
    """400: the wallet could not hold what was bought; nothing was charged."""

    def __init__(self) -> None:
        super().__init__(
            "The account's wallet cannot hold so many credits. Spend some first, or send a "
            "smaller amount.",
            param="amountInUsdCents",
        )


class NoPaymentMethod(AccessRefused):
    """403: a card is to be charged and none is on file."""

    code = "no_payment_method"

    def __init__(self, *, by_card_only: bool = False) -> None:
        ways = _ways_out("Add one", by_card_only=by_card_only)
        super().__init__(
            f"No card is on file for this account. {ways}",
            param=_blamed(by_card_only),
        )


class CardDeclined(InvalidRequest):
    """400: the card was not charged; kept as the answer to its idempotency key."""

    code = "card_declined"

    def __init__(self, reason: str, *, by_card_only: bool = False) -> None:
        ways = _ways_out(
            "Use another card", "ask the bank that issued it", by_card_only=by_card_only
        )
        super().__init__(
            f"The card was not charged ({reason.replace('_', ' ')}). {ways}",
            param=_blamed(by_card_only),
        )


class ProcessorRefused(InvalidRequest):
    """400: the processor would not take the request; nothing was charged."""

    code = "payment_refused"

    def __init__(self, message: str, *, by_card_only: bool = False) -> None:
        ways = _ways_out("Correct the account's card or currency", by_card_only=by_card_only)
        super().__init__(
            f"The card processor refused the charge and nothing was charged: {message} {ways}",
            param=_blamed(by_card_only),
        )


class ProcessorBusy(Unavailable):
    """503: the processor did not begin; nothing was charged."""

    code = "processor_unavailable"
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__(
            "The card processor did not take the request; nothing was charged. "
            "Send the same request again in a few seconds."
        )


NOT_CHARGED_FOR_SURE = "The card processor has not said whether the card was charged."
NOT_RECORDED_FOR_SURE = "The database's answer was lost, so this may be recorded or not."


class PaymentOutcomeUnknown(ProblemError):
    """502: it is not known whether the card was charged; that is settled in the background.

    Or, with `recorded=False`, not even whether there is anything to charge it for.
    """

    status = 502
    code = "payment_outcome_unknown"

    def __init__(
        self,
        subject_id: UUID,
        *,
        recorded: bool = True,
        not_again: str = "order again",
        ask: str | None = None,
    ) -> None:
        # By then the statement whose answer was lost has ended, one way or the other.
        absent = "" if recorded else " (if it is a 404 in a minute, there is no order)"
        super().__init__(
            f"{NOT_CHARGED_FOR_SURE if recorded else NOT_RECORDED_FOR_SURE} Do not {not_again}: "
            f"ask {ask or f'GET /api/orders/{subject_id}{absent}'}, or send this request again "
            "with the same Idempotency-Key. The outcome is settled in the background.",
            purchase_id=str(subject_id),
        )


class TopUpOutcomeUnknown(PaymentOutcomeUnknown):
    """502: it is not known whether the card was charged; `purchaseId` names the top-up."""

    def __init__(self, top_up_id: UUID, *, recorded: bool = True) -> None:
        super().__init__(
            top_up_id,
            recorded=recorded,
            not_again="top up again",
            ask="GET /api/credits/ledger, which shows the top-up once it is paid",
        )


class RefillUnderway(Conflict):
    """409: another refill of the account is not settled yet; nothing was charged."""

    code = "refill_underway"

    def __init__(self) -> None:
        super().__init__("A refill of this account is under way already. Wait until it is settled.")


class NoExchangeRate(InvalidRequest):
    """400: the account's currency has no rate yet."""

    code = "no_exchange_rate"

    def __init__(self, currency: str, *, by_card_only: bool = False) -> None:
        ways = _ways_out("Ask the operator to set one", by_card_only=by_card_only)
        super().__init__(
            f"There is no exchange rate for {currency} yet. {ways}",
            param=_blamed(by_card_only),
        )


class RefundNotFound(NotFound):
    """No refund has this id."""

    code = "refund_not_found"


class NotRefundable(InvalidRequest):
    """What was paid for, or what of it is left, does not allow this refund; nothing went back."""

    code = "not_refundable"


class RefundNotMade(InvalidRequest):
    """The processor certainly did not give the money back."""

    code = "refund_not_made"


class RefundOutcomeUnknown(ProblemError):
    """502: it is not known whether the money went back; that is settled in the background."""

    status = 502
    code = "refund_outcome_unknown"

    def __init__(self, refund_id: UUID) -> None:
        super().__init__(
            f"The card processor has not said whether refund {refund_id} was carried out. Do not "
            "refund again: it is settled in the background, and `fieldfare exceptions list` shows "
            "it if that takes more than an hour."
        )


class RefundMaybeRecorded(RefundOutcomeUnknown):
    """502: not even whether the refund is on record is known; if it is, it is carried out."""

    def __init__(self, bought: str) -> None:
        ProblemError.__init__(
            self,
            f"The database's answer was lost, so a refund of {bought} may be recorded or not. Run "
            "it again with the same --key; without one, look first at what has gone back: if it "
            "is recorded, it is carried out in the background.",
        )


class AccountBusy(InvalidRequest):
    """400: money of an account is still under way, so the account cannot be erased."""

    code = "account_busy"
