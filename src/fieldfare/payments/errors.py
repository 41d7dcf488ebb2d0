"""What can go wrong with a payment, as far as a client or the processor is told."""

from fieldfare.kernel.errors import InvalidRequest, NotFound, Unavailable


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
