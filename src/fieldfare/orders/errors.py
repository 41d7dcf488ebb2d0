"""What an order can be refused for."""

from fieldfare.kernel.errors import (
    InvalidRequest,
    NotFound,
)


class TonsRefused(InvalidRequest):
    """400: no tonnes were asked for, or not a mass that can be sold."""

    code = "invalid_tons"


class PriceAboveMaximum(InvalidRequest):
    """400: the order is dearer than the client's `maxAmountCharged`; nothing was charged."""

    code = "price_above_maximum"


class OrderNotFound(NotFound):
    """404: no such order, or another account's."""

    code = "order_not_found"
