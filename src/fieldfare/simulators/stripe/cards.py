"""Stripe's test cards: which card a number or a token stands for, and what becomes of it.

Numbers, tokens and outcomes are those of docs.stripe.com/testing. One thing is milder here: a card
that its issuer declines can be saved, so that a test has a saved card that declines.
"""

import hashlib
from typing import Literal, TypeAlias

import msgspec

from fieldfare.simulators.stripe.errors import ApiError, declined, invalid
from fieldfare.simulators.stripe.shapes import Thing

Later: TypeAlias = Literal["", "dispute", "inquiry", "refund_fails", "refund_pends"]
MESSAGES = {
    "card_declined": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A test card and its behaviour."""

    number: str
    tokens: tuple[str, ...] = ()
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    code: str | None = None
    """The error code with which a charge fails."""
    decline_code: str | None = None
    authentication: bool = False
    """Charges need authentication, unless it was set up with it."""
    always: bool = False
    """Even then."""
    later: Later = ""


def _declines(number: str, token: str, decline_code: str, code: str = "card_declined") -> Card:
    return Card(number=number, tokens=(token,), code=code, decline_code=decline_code)


_CARDS = (
    Card(number="4242424242424242", tokens=("visa",)),
    Card(number="4000056655665556", tokens=("visa_debit",), funding="debit"),
    Card(number="5555555555554444", tokens=("mastercard",), brand="mastercard"),
    Card(number="2223003122003222", tokens=(), brand="mastercard"),
    Card(number="378282246310005", tokens=("amex",), brand="amex"),
    Card(number="6011111111111117", tokens=("discover",), brand="discover"),
    Card(number="4000002760000016", tokens=("de",), country="DE"),
    Card(number="4000008260000000", tokens=("gb",), country="GB"),
    Card(number="4000003920000003", tokens=("jp",), country="JP"),
    _declines("4000000000000002", "visa_chargeDeclined", "generic_decline"),
    _declines("4000000000009995", "visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    _declines("4000000000009987", "visa_chargeDeclinedLostCard", "lost_card"),
    _declines("4000000000009979", "visa_chargeDeclinedStolenCard", "stolen_card"),
    _declines("4000000000000341", "chargeCustomerFail", "generic_decline"),
    Card(
        number="4000000000000069",
        tokens=("chargeDeclinedExpiredCard",),
        code="expired_card",
    ),
    Card(
        number="4000000000000127",
        tokens=("chargeDeclinedIncorrectCvc",),
        code="incorrect_cvc",
    ),
    Card(
        number="4000000000000119",
        tokens=("chargeDeclinedProcessingError",),
        code="processing_error",
    ),
    Card(
        number="4000002500003155",
        tokens=("authenticationRequiredOnSetup",),
        country="FR",
        authentication=True,
    ),
    Card(
        number="4000002760003184",
        tokens=("authenticationRequired",),
        country="DE",
        authentication=True,
        always=True,
    ),
    Card(number="4000000000000259", tokens=("createDispute",), later="dispute"),
    Card(number="4000000000001976", tokens=("createDisputeInquiry",), later="inquiry"),
    Card(number="4000000000005126", tokens=("refundFail",), later="refund_fails"),
    Card(number="4000000000007726", tokens=("pendingRefund",), later="refund_pends"),
)
_BY_NUMBER = {card.number: card for card in _CARDS}
_BY_TOKEN = {token: card for card in _CARDS for token in card.tokens}
# Some cards have a name of each sort in Stripe's own documentation.
_BY_TOKEN["chargeDeclined"] = _BY_NUMBER["4000000000000002"]
_BY_TOKEN["chargeDeclinedInsufficientFunds"] = _BY_NUMBER["4000000000009995"]


def find_by_token(token: str) -> Card | None:
    """The card of `pm_card_visa` or `tok_visa`; None for anything else."""
    for prefix in ("pm_card_", "tok_"):
        if token.startswith(prefix):
            return _BY_TOKEN.get(token.removeprefix(prefix))
    return None


def get_by_number(number: str) -> Card:
    """The test card with this number, blanks and dashes aside; raises `ApiError`."""
    digits = number.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and _luhn(digits)):
        raise _unusable("incorrect_number", "Your card number is incorrect.", "number")
    if digits not in _BY_NUMBER:
        raise _unusable(
            "card_declined",
            "Your card was declined. Your request was in test mode, but used a non test card. "
            "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
            "number",
            decline_code="test_mode_live_card",
        )
    return _BY_NUMBER[digits]


def check_expiry(exp_month: int, exp_year: int, today: tuple[int, int]) -> None:
    """Raise `ApiError` unless the card is valid in `today`'s year and month."""
    if not 1 <= exp_month <= 12:
        raise _unusable(
            "invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month"
        )
    if (exp_year, exp_month) < today or exp_year > today[0] + 50:
        raise _unusable(
            "invalid_expiry_year", "Your card's expiration year is invalid.", "exp_year"
        )


def _unusable(code: str, message: str, param: str, *, decline_code: str | None = None) -> ApiError:
    return declined(code, message, decline_code=decline_code, param=param)


def failure(card: Card) -> tuple[str, str, str] | None:
    """Code, decline code and message with which every charge of the card fails, or None."""
    if card.code is None:
        return None
    decline_code = card.decline_code or card.code
    message = MESSAGES.get(decline_code) or MESSAGES[card.code]
    return card.code, decline_code, message


def card_fields(card: Card, template: Thing, exp_month: int, exp_year: int) -> Thing:
    """The `card` hash of a payment method."""
    return {
        **template,
        "brand": card.brand,
        "display_brand": card.brand,
        "country": card.country,
        "funding": card.funding,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
    }


def _luhn(digits: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return 12 <= len(digits) <= 19 and total % 10 == 0


def whole_year(year: int) -> int:
    """A year of two digits is one of this century."""
    if year < 0:
        raise invalid("Invalid integer", param="card[exp_year]")
    return 2_000 + year if year < 100 else year
