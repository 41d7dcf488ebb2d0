"""What a client sends to place an order of each kind, decoded under the same rules."""

from typing import TypedDict

from fieldfare.http.body import Fields
from fieldfare.kernel import limits
from fieldfare.kernel.mass import MAX_ORDER_MG, MAX_ORDER_TONNES, mg_from_tonnes
from fieldfare.orders.errors import AmountRefused, ProjectIdRefused, TonsRefused, TreesRefused
from fieldfare.orders.model import (
    OffsetRequest,
    Party,
    PaymentMethod,
    ProjectRequest,
    TreeRequest,
)
from fieldfare.payments.errors import AboveMaximum, BelowMinimum

PAYMENT_METHODS: tuple[PaymentMethod, ...] = ("stripe", "credits")
MAX_AMOUNT = 10**15
MAX_ID = 2**31 - 1


class _EveryOrder(TypedDict):
    """The fields of `OrderRequest`."""

    payment_method: PaymentMethod
    dry_run: bool
    send_receipt: bool
    max_amount_minor: int | None
    party: Party


def read_offset_order(fields: Fields) -> OffsetRequest:
    """The body of `POST /api/offset-orders`; raises `InvalidRequest` naming the first bad field."""
    return OffsetRequest(
        mass_mg=_read_mass_mg(fields),
        portfolio_id=_read_portfolio_id(fields),
        **_read_every_order(fields),
    )


def read_tree_order(fields: Fields) -> TreeRequest:
    """The body of `POST /api/tree-orders`; raises as `read_offset_order` does."""
    return TreeRequest(trees=read_trees(fields), **_read_every_order(fields))


def read_project_order(fields: Fields) -> ProjectRequest:
    """The body of `POST /api/project-orders`; raises as `read_offset_order` does."""
    return ProjectRequest(
        project_id=_read_project_id(fields),
        amount_cents=_read_amount_cents(fields),
        **_read_every_order(fields),
    )


def read_trees(fields: Fields) -> int:
    """How many trees; also the body of `POST /api/tree-orders/preview`."""
    name = "amountOfTrees"
    trees = fields.integer(name)
    if trees is None:
        raise TreesRefused(
            f"{name} is required: the number of trees to plant, for instance 5.", param=name
        )
    if not 1 <= trees <= limits.ORDER_TREES:
        raise TreesRefused(
            f"{name} must be at least 1 and at most {limits.ORDER_TREES:,}.", param=name
        )
    return trees


def _read_every_order(fields: Fields) -> _EveryOrder:
    return {
        "payment_method": _read_payment_method(fields),
        "dry_run": fields.boolean("dryRun") or False,
        "send_receipt": fields.boolean("sendReceiptEmail") or False,
        "max_amount_minor": _read_price_cap(fields),
        "party": _read_party(fields),
    }


def _read_mass_mg(fields: Fields) -> int:
    tons = fields.number("tons")
    if tons is None:
        raise TonsRefused(
            "tons is required: the tonnes of CO₂e to offset, for instance 0.5.", param="tons"
        )
    if tons <= 0:
        raise TonsRefused("tons must be more than 0, for instance 0.5.", param="tons")
    mass_mg = mg_from_tonnes(tons)
    if not 1 <= mass_mg <= MAX_ORDER_MG:
        raise TonsRefused(
            f"tons must come to at least one milligram (0.000000001) and at most "
            f"{MAX_ORDER_TONNES:,}.",
            param="tons",
        )
    return mass_mg


def _read_portfolio_id(fields: Fields) -> int | None:
    value = fields.exact_integer("portfolioId")
    # An id beyond the column's range names nothing; 0 names nothing either and fits.
    return value if value is None or 0 < value <= MAX_ID else 0


def _read_project_id(fields: Fields) -> int:
    value = fields.exact_integer("projectId")
    if value is None:
        raise ProjectIdRefused(
            "projectId is required: the project that the amount is for, for instance 1.",
            param="projectId",
        )
    if value <= 0:
        raise ProjectIdRefused("projectId must be more than 0.", param="projectId")
    # What lies beyond the column's range names nothing, as its end does.
    return min(value, MAX_ID)


def _read_amount_cents(fields: Fields) -> int:
    name = "amountInUsdCents"
    least, most = limits.PROJECT_ORDER_LEAST_CENTS, limits.PROJECT_ORDER_MOST_CENTS
    cents = fields.integer(name)
    if cents is None:
        raise AmountRefused(
            f"{name} is required: what to give in US cents, for instance 2500 for $25.00.",
            param=name,
        )
    if cents < least:
        raise BelowMinimum(f"{name} must be {least} ($1.00) or more. Send more.", param=name)
    if cents > most:
        raise AboveMaximum(
            f"{name} must be {most} ($999,999.99) or less. Split it into smaller orders.",
            param=name,
        )
    return cents


def _read_payment_method(fields: Fields) -> PaymentMethod:
    chosen = fields.one_of("paymentMethod", PAYMENT_METHODS)
    return "credits" if chosen == "credits" else "stripe"


def _read_price_cap(fields: Fields) -> int | None:
    cap = fields.exact_integer("maxAmountCharged")
    return None if cap is None else max(-1, min(cap, MAX_AMOUNT))


def _read_party(fields: Fields) -> Party:
    return Party(
        on_behalf_of_name=fields.clean(
            "onBehalfOfName", max_characters=limits.ON_BEHALF_OF_NAME_CHARACTERS
        ),
        on_behalf_of_email=fields.clean(
            "onBehalfOfEmail", max_characters=limits.ON_BEHALF_OF_EMAIL_CHARACTERS
        ),
        note=fields.clean("note", max_characters=limits.NOTE_CHARACTERS, lines=True),
        metadata=fields.metadata("metadata"),
    )
