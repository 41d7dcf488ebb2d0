"""Top-ups on the wire: what a client sends. What it is answered is encoded where it is kept."""

from fieldfare.http.body import Fields
from fieldfare.payments.errors import TopUpAmountRefused
from fieldfare.payments.model import TopUpRequest


def read_top_up(fields: Fields) -> TopUpRequest:
    """The body of `POST /api/credits/top-up`; raises `InvalidRequest` naming the bad field."""
    amount_cents = fields.integer("amountInUsdCents")
    if amount_cents is None:
        raise TopUpAmountRefused(
            "amountInUsdCents is required: the US cents of credits to buy, for instance 5000 for "
            "$50.00.",
            param="amountInUsdCents",
        )
    return TopUpRequest(amount_cents=amount_cents)
