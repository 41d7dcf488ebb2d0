"""What the books refuse."""

from fieldfare.kernel.errors import InvalidRequest
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
