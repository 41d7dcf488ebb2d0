"""What is decided about payments: what may be sent again, what a charge must match and moves.

Pure functions of their arguments; each module tells its own part.
"""

from fieldfare.payments.rules.balancing import (
    amount_fault,
    is_bookable,
    missing_legs,
    movement_of,
    role_of,
)
from fieldfare.payments.rules.charging import IN_DOLLARS, card_legs
from fieldfare.payments.rules.disputing import (
    Step,
    dispute_mismatches,
    dispute_movement,
    dispute_refund,
    dispute_return,
    moved,
    next_steps,
)
from fieldfare.payments.rules.refilling import PUT_OFF, REST, was_put_off, why_no_refill
from fieldfare.payments.rules.refunding import (
    frozen_refund,
    is_refund_lost,
    may_send_refund_again,
    money_back_legs,
    refund_mismatches,
)
from fieldfare.payments.rules.returning import less, part_of, part_taken
from fieldfare.payments.rules.sending import (
    EXCEPTION_AFTER,
    LIST_SLACK,
    LOST_AFTER,
    REQUEST_LEASE,
    RESEND_WITHIN,
    frozen_request,
    is_leased,
    is_lost,
    look_again_in,
    may_send_again,
    mismatches,
    processor_key,
)
from fieldfare.payments.rules.topping_up import quote_top_up, top_up_answer

__all__ = [
    "EXCEPTION_AFTER",
    "IN_DOLLARS",
    "LIST_SLACK",
    "LOST_AFTER",
    "PUT_OFF",
    "REQUEST_LEASE",
    "RESEND_WITHIN",
    "REST",
    "Step",
    "amount_fault",
    "card_legs",
    "dispute_mismatches",
    "dispute_movement",
    "dispute_refund",
    "dispute_return",
    "frozen_refund",
    "frozen_request",
    "is_bookable",
    "is_leased",
    "is_lost",
    "is_refund_lost",
    "less",
    "look_again_in",
    "may_send_again",
    "may_send_refund_again",
    "mismatches",
    "missing_legs",
    "money_back_legs",
    "moved",
    "movement_of",
    "next_steps",
    "part_of",
    "part_taken",
    "processor_key",
    "quote_top_up",
    "refund_mismatches",
    "role_of",
    "top_up_answer",
    "was_put_off",
    "why_no_refill",
]
