"""What an order can be refused for."""

from fieldfare.kernel.errors import (
    InvalidRequest,
    NotFound,
)


class TonsRefused(InvalidRequest):
    """400: no tonnes were asked for, or not a mass that can be sold."""

    code = "invalid_tons"


class TreesRefused(InvalidRequest):
    """400: no trees were asked for, or not a number that can be sold."""

    code = "invalid_amount_of_trees"


class ProjectIdRefused(InvalidRequest):
    """400: an order for a project names none."""

    code = "invalid_project_id"


class AmountRefused(InvalidRequest):
    """400: an order for a project names no amount."""

    code = "invalid_amount"


class PriceAboveMaximum(InvalidRequest):
    """400: the order is dearer than the client's `maxAmountCharged`; nothing was charged."""

    code = "price_above_maximum"


class OrderNotFound(NotFound):
    """404: no such order, or another account's."""

    code = "order_not_found"
