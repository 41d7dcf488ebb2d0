"""How a dispute goes on: what the processor says of it now, held against what is on record.

The processor is looked up, so what it says may be newer than its event, and two look-ups may end in
the wrong order. What must hold: a state that has moved money is not undone by what was read before.
"""

from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from fieldfare.kernel.currency import get_currency, micro_from_minor
from fieldfare.ledger.model import Book, Leg
from fieldfare.payments.model import Dispute, DisputeState, Payment

Step = Literal["open", "win", "lose"]

WAITING = frozenset({"needs_response", "under_review"})
APPEALED = frozenset({"appeal_needs_response", "appeal_under_review"})
INQUIRIES = frozenset({"warning_needs_response", "warning_under_review", "warning_closed"})
"""The bank asks; no money moves."""
PREVENTED = "prevented"
"""A refund came first; no money moves."""


def next_steps(kept: DisputeState | None, status: str) -> tuple[Step, ...] | None:
    """What is to be recorded, in this order; None where a person has to look.

    A dispute that was won is lost after all if the bank's appeal says so; one that was lost has
    cancelled what was bought, which nothing here can turn round.
    """
    if kept is None:
        return _first_steps(status)
    if status in INQUIRIES:
        return ()
    match kept, status:
        case ("open", "won"):
            return ("win",)
        case ("open", "lost"):
            return ("lose",)
        case ("won", "lost"):
            return ("open", "lose")
        case ("won", status) if status in APPEALED:
            return ("open",)
        case (_, status) if status == kept or status in WAITING or status in APPEALED:
            return ()
        case _:
            return None


def _first_steps(status: str) -> tuple[Step, ...] | None:
    if status in INQUIRIES or status == PREVENTED:
        return ()
    if status in WAITING or status in APPEALED:
        return ("open",)
    if status == "won":
        return ("open", "win")
    return ("open", "lose") if status == "lost" else None


def dispute_movement(dispute_id: str) -> UUID:
    """The movement in the journal that the money of a dispute leaves by, and what follows it."""
    return uuid5(NAMESPACE_URL, f"fieldfare:dispute:{dispute_id}")


def dispute_return(dispute_id: str) -> UUID:
    """The movement by which the money of a dispute that was won comes back."""
    return uuid5(NAMESPACE_URL, f"fieldfare:dispute:{dispute_id}:won")


def dispute_refund(dispute_id: str) -> UUID:
    """The id of what a lost dispute takes of an order: there is never a second one."""
    return uuid5(NAMESPACE_URL, f"fieldfare:dispute:{dispute_id}:lost")


def dispute_mismatches(
    payment: Payment, kept: Dispute | None, *, amount_minor: int, currency: str
) -> list[str]:
    """Where a dispute differs from its payment, or from what is on record; empty if nowhere."""
    compared = [("currency", payment.currency, currency)]
    if kept is not None:
        compared += [
            ("amount", str(kept.amount_minor), str(amount_minor)),
            ("payment", str(kept.payment_id), str(payment.id)),
        ]
    faults = [
        f"{name} is {found}, expected {expected}"
        for name, expected, found in compared
        if found != expected
    ]
    return faults if amount_minor > 0 else [*faults, f"amount is {amount_minor}"]


def moved(currency: str, amount_minor: int, *, into: Book, out_of: Book) -> list[Leg]:
    """The legs of money that lies in another of our books from now on."""
    amount_micro = micro_from_minor(amount_minor, get_currency(currency))
    return [
        Leg(book=out_of, currency=currency, amount_micro=amount_micro),
        Leg(book=into, currency=currency, amount_micro=-amount_micro),
    ]
