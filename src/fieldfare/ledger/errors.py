"""What the books refuse."""

from fieldfare.kernel.errors import InvalidRequest, NotFound, ProblemError
from fieldfare.kernel.money import dollars_from_cents


class InsufficientCredits(InvalidRequest):
    """400: the wallet holds less than the order costs; nothing was deducted."""

    code = "insufficient_credits"

    def __init__(self, *, needed_cents: int, balance_cents: int) -> None:
        super().__init__(
            f"This order costs ${dollars_from_cents(needed_cents):.2f} in credits and the balance "
            f"is ${dollars_from_cents(balance_cents):.2f}. Nothing was deducted. Top up credits "
            "with POST /api/credits/top-up, or order less.",
            param="paymentMethod",
        )


class AdjustmentRefused(InvalidRequest):
    """400: an adjustment would leave a balance below zero or above what a wallet can hold."""

    code = "adjustment_refused"


class ReasonRefused(InvalidRequest):
    """400: why something was decided was not said, or not in words that can be kept."""

    code = "invalid_reason"


class TwoPeopleNeeded(InvalidRequest):
    """400: an adjustment is too large for one operator; nothing was changed."""

    code = "two_people_needed"


class RequestNotFound(NotFound):
    """404: no adjustment was asked for under this id."""

    code = "adjustment_request_not_found"


class RequestDecided(InvalidRequest):
    """400: the adjustment that was asked for has been decided otherwise; nothing was changed."""

    code = "adjustment_request_decided"


class AdjustmentMaybeMade(ProblemError):
    """502: the database's answer was lost, so it is not known whether a balance was changed."""

    status = 502
    code = "adjustment_outcome_unknown"

    def __init__(self, account_id: int) -> None:
        super().__init__(
            "The database's answer was lost, so this adjustment may be made, or asked for, or not. "
            f"Look at `fieldfare credits balance --account {account_id}` and `fieldfare credits "
            "requests` before you give it again, so that it is not made twice."
        )
