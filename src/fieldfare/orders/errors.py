"""What an order can be refused for."""

from fieldfare.kernel.errors import AccessRefused, InvalidRequest, NotFound


class TonsRefused(InvalidRequest):
    """400: no tonnes were asked for, or not a mass that can be sold."""

    code = "invalid_tons"


class BelowMinimum(InvalidRequest):
    """400: a card cannot be charged so little."""

    code = "below_minimum"


class AboveMaximum(InvalidRequest):
    """400: a card cannot be charged so much at once."""

    code = "above_maximum"


class PriceAboveMaximum(InvalidRequest):
    """400: the order is dearer than the client's `maxAmountCharged`; nothing was charged."""

    code = "price_above_maximum"


class NoPaymentMethod(AccessRefused):
    """403: a card is to be charged and none is on file."""

    code = "no_payment_method"


class NoExchangeRate(InvalidRequest):
    """400: the account's currency has no rate yet."""

    code = "no_exchange_rate"


class OrderNotFound(NotFound):
    """404: no such order, or another account's."""

    code = "order_not_found"
