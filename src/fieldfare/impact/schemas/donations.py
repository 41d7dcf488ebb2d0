"""`GET /api/project-donations` on the wire."""

import msgspec

from fieldfare.impact.schemas.showing import Showing, instant_or_none
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.money import cents_from_micro
from fieldfare.kernel.wire import Count, GivenId, Instant, IntegerId, SplitCents
from fieldfare.orders.model import LineRow


class ProjectDonationRow(msgspec.Struct, rename="camel"):
    """Money for a project without a unit: an order of its own, or a portfolio's part."""

    id: GivenId
    order_group_id: GivenId
    project_id: IntegerId
    user_id: Count
    """The account; a team has one too. 0 in test mode, which shows nothing of its account."""
    amount_paid_by_customer: SplitCents
    """US cents, maybe with a fraction."""
    created_at: Instant
    source: str
    note: str | None
    refunded_at: Instant | None
    """When all of it was refunded."""
    amount_refunded: SplitCents
    """US cents, maybe with a fraction."""


def project_donation_row(line: LineRow, showing: Showing) -> ProjectDonationRow:
    """A donation as the list shows it.

    What the customer was shown may differ from the books by a part of a cent; no more than that is
    shown as given back.
    """
    whole = line.refunded_at is not None
    refunded_micro = line.billed_micro if whole else min(line.refunded_micro, line.billed_micro)
    return ProjectDonationRow(
        id=showing.line_id(line, "donation"),
        order_group_id=line.group_id,
        project_id=line.project_id,
        user_id=line.account_id,
        amount_paid_by_customer=cents_from_micro(line.billed_micro),
        created_at=rfc3339(line.created_at),
        source=line.source,
        note=line.note,
        refunded_at=instant_or_none(line.refunded_at),
        amount_refunded=cents_from_micro(refunded_micro),
    )
