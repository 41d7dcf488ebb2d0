"""What an operator's curating of the public feed can be refused for."""

from fieldfare.kernel.errors import InvalidRequest


class OrderNotHidden(InvalidRequest):
    """The order is in the feed, or would be if it were new enough."""

    code = "order_not_hidden"


class ReasonRefused(InvalidRequest):
    """A decision is kept with its reason."""

    code = "invalid_reason"
