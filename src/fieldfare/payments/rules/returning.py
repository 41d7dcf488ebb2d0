"""How many credits go when money of a top-up goes back to its card.

What must hold: parts that add up to the whole charge take exactly the credits that it bought, in
whichever order they come, and never one cent more; a part is rounded up, so that what stays in the
wallet was paid for.
"""

from fieldfare.payments.model import Remains


def part_of(amount_minor: int, remains: Remains) -> Remains:
    """Of what remains, the part that goes with `amount_minor`; all of it if that is more."""
    if amount_minor >= remains.minor:
        return remains
    cents = -(-remains.cents * amount_minor // remains.minor)
    return Remains(minor=amount_minor, cents=cents)


def less(remains: Remains, gone: Remains) -> Remains:
    """What remains after something else is gone; nothing if that was more."""
    return Remains(
        minor=max(remains.minor - gone.minor, 0), cents=max(remains.cents - gone.cents, 0)
    )


def part_taken(amount_minor: int, remains: Remains, pending: Remains) -> Remains:
    """The part that goes with money which the processor took while a refund may be under way.

    What it took and what it gave back never exceed the charge. So if there is room for both, the
    refund counts as gone; if not, the refund cannot be carried out any more, and counts as nothing.
    """
    if amount_minor > remains.minor - pending.minor:
        return part_of(amount_minor, remains)
    return part_of(amount_minor, less(remains, pending))
