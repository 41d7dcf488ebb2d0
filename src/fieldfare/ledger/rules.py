"""What an operator may change of a balance alone, and what can be kept as a reason. Pure.

What must hold: a reason is never empty, for the customer reads it in the ledger.
"""

from fieldfare.kernel.text import TextRefused, clean_text
from fieldfare.ledger.errors import ReasonRefused

REASON_CHARACTERS = 500


def clean_reason(reason: str) -> str:
    """A reason in one line, 1 to 500 characters; raises `ReasonRefused`."""
    try:
        cleaned = clean_text(" ".join(reason.split()), max_characters=REASON_CHARACTERS)
    except TextRefused as refusal:
        raise ReasonRefused(f"The reason {refusal}.", param="reason") from refusal
    if not cleaned:
        raise ReasonRefused(
            f"Say why, in 1 to {REASON_CHARACTERS} characters: the reason is kept in the books.",
            param="reason",
        )
    return cleaned


def needs_two(change_cents: int, alone_up_to_cents: int) -> bool:
    """Whether a change of a balance, up or down, is too large for one operator."""
    return abs(change_cents) > alone_up_to_cents
