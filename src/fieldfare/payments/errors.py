"""What can go wrong with a payment, as far as a client or the processor is told."""

from uuid import UUID

from fieldfare.kernel.errors import (
    AccessRefused,
    InvalidRequest,
    NotFound,
    ProblemError,
    Unavailable,
)


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


class BelowMinimum(InvalidRequest):
    """400: a card cannot be charged so little."""

    code = "below_minimum"


class AboveMaximum(InvalidRequest):
    """400: a card cannot be charged so much at once."""

    code = "above_maximum"


class NoPaymentMethod(AccessRefused):
    """403: a card is to be charged and none is on file."""

    code = "no_payment_method"


class CardDeclined(InvalidRequest):
    """400: the card was not charged; kept as the answer to its idempotency key."""

    code = "card_declined"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The card was not charged ({reason.replace('_', ' ')}). Use another card, ask the "
            'bank that issued it, or pay with paymentMethod "credits".',
            param="paymentMethod",
        )


class ProcessorRefused(InvalidRequest):
    """400: the processor would not take the request; nothing was charged."""

    code = "payment_refused"

    def __init__(self, message: str) -> None:
        super().__init__(
            f"The card processor refused the charge and nothing was charged: {message} "
            'Correct the account\'s card or currency, or pay with paymentMethod "credits".',
            param="paymentMethod",
        )


class ProcessorBusy(Unavailable):
    """503: the processor did not begin; nothing was charged."""

    code = "processor_unavailable"
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__(
            "The card processor did not take the request; nothing was charged. "
            "Send the same order again in a few seconds."
        )


class PaymentOutcomeUnknown(ProblemError):
    """502: it is not known whether the card was charged; the order is settled in the background."""

    status = 502
    code = "payment_outcome_unknown"

    def __init__(self, purchase_id: UUID) -> None:
        super().__init__(
            "The card processor has not said whether the card was charged. Do not order again: ask "
            f"GET /api/orders/{purchase_id}, or send this request again with the same "
            "Idempotency-Key. The outcome is settled in the background.",
            purchase_id=str(purchase_id),
        )


class NoExchangeRate(InvalidRequest):
    """400: the account's currency has no rate yet."""

    code = "no_exchange_rate"
