"""What is described of each endpoint: its types, its parameters, and every code that it can give.

A route under `/api` that is not in `ENDPOINTS` fails a test. Codes are those of the page of errors;
that none is given which is not named here is held by each refusal that a test of the API gets, and
by what random requests are answered.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from fieldfare.catalog.schemas import FullList, ShortList
from fieldfare.http.edge import Route
from fieldfare.http.paging import MAX_PAIR_CHARACTERS
from fieldfare.impact.schemas import (
    FeedRow,
    OffsetOrderList,
    OffsetOrderRow,
    ProjectDonationRow,
    PurchaseList,
    PurchaseListRow,
    TreeOrderList,
    TreeOrderRow,
)
from fieldfare.impact.schemas.certificates import (
    CertificateAnswer,
    NumberAnswer,
    VerificationAnswer,
)
from fieldfare.ledger.schemas import BalanceBody, EntriesBody
from fieldfare.orders.schemas.answers import (
    OffsetOrderBody,
    ProjectOrderBody,
    PurchaseBody,
    TreeOrderBody,
    TreePreviewBody,
)
from fieldfare.payments.rules.topping_up import TopUpBody
from tests.description.bodies import (
    PLAIN,
    CertificateToVerify,
    OffsetOrder,
    ProjectOrder,
    TopUp,
    TreeOrder,
    TreePreview,
)

Codes = tuple[str, ...]

ANY: Codes = (
    "request_timeout", "url_too_long", "headers_too_large", "internal_error", "closed", "stopping",
)  # fmt: skip
DATABASE: Codes = ("database_unavailable",)
RATE: Codes = ("rate_limited",)
"""Where callers are known, and of what everybody may read."""
TOKEN: Codes = ("token_missing", "token_malformed", "token_unknown")
READ: Codes = (
    "invalid_request", "invalid_json", "invalid_form", "duplicate_field", "invalid_number",
    "invalid_text", "body_too_large", "unsupported_media_type",
)  # fmt: skip
"""Of a body; NaN and half a surrogate pair are blamed on whichever field holds them."""
BODY: Codes = (*READ, "invalid_integer", "invalid_idempotency_key")
KEY: Codes = ("idempotency_in_flight", "idempotency_mismatch")
CARD: Codes = (
    "account_required", "no_payment_method", "above_maximum", "below_minimum", "no_exchange_rate",
    "card_declined", "payment_refused", "payment_outcome_unknown", "processor_unavailable",
)  # fmt: skip
ORDER: Codes = (
    *BODY, *KEY, *CARD, "invalid_boolean", "invalid_choice", "invalid_metadata",
    "price_above_maximum", "insufficient_credits", "overloaded",
)  # fmt: skip
NOBODY_READS: Codes = ("body_incomplete", "client_gone")
"""Told to clients that are gone, so no client of this endpoint is ever told."""
OF_PATHS: Codes = ("invalid_http", "not_found", "method_not_allowed")
"""Given where no operation is."""


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a URL."""

    name: str
    schema: Mapping[str, Any]
    example: Any
    style: str | None = None


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is described of one endpoint; the rest is read from its route and its page."""

    summary: str
    tag: str
    answers: tuple[Any, ...] = ()
    """The types of which a 200's body is one; none: a page, or the description itself."""
    parts: Mapping[str, Any] = {}
    """The struct that each part of the page tells of."""
    body: Any = None
    query: tuple[Parameter, ...] = ()
    codes: Codes = ()
    takes_key: bool = False
    """Whether a retry with its key is answered from what was kept."""
    knows_tokens: bool = False
    """Whether a token makes a difference where none is needed."""
    places_order: bool = False
    """Whether what it makes is found again under its `purchaseId`."""
    has_etag: bool = False
    has_link: bool = False


def codes_of(route: Route, endpoint: Endpoint) -> Codes:
    """Every code that an operation can give."""
    is_counted = route.needs == "token" or route.any_origin
    return (*endpoint.codes, *ANY, *(RATE if is_counted else ()))


INSTANT = "2026-01-31T09:30:00Z"
CURSOR = Parameter(
    name="cursor", schema={"type": "string", "format": "uuid"},
    example="01a20016-d407-77a2-aab4-ae24692e11fc",
)  # fmt: skip
LIST: tuple[Parameter, ...] = (
    Parameter(name="limit", schema={"type": "integer", "minimum": 1}, example=100),
    CURSOR,
    Parameter(
        name="created_after", schema={"type": "string", "format": "date-time"}, example=INSTANT
    ),
    Parameter(
        name="created_before", schema={"type": "string", "format": "date-time"}, example=INSTANT
    ),
    Parameter(name="order_group_id", schema={"type": "string"}, example="ch_3FfTpbCCFjTX11HdsoKt"),
    Parameter(
        name="metadata",
        schema={
            "type": "object",
            "propertyNames": {"maxLength": MAX_PAIR_CHARACTERS, "pattern": PLAIN},
            "additionalProperties": {
                "type": "string",
                "maxLength": MAX_PAIR_CHARACTERS,
                "pattern": PLAIN,
            },
        },
        example={"trip": "4711"},
        style="deepObject",
    ),
)
LIST_CODES: Codes = (*TOKEN, *DATABASE, "invalid_parameter")

ENDPOINTS: dict[str, Endpoint] = {
    "GET /api/portfolios": Endpoint(
        summary="What is sold, and at which price",
        tag="Portfolios",
        answers=(ShortList, FullList),
        parts={"Answer": ShortList, "Expanded": FullList},
        query=(Parameter(name="expanded", schema={"type": "string"}, example="true"),),
        codes=DATABASE,
        knows_tokens=True,
    ),
    "POST /api/offset-orders": Endpoint(
        summary="Order tonnes of CO₂e",
        tag="Offset orders",
        answers=(OffsetOrderBody,),
        parts={"Answer": OffsetOrderBody, "Request": OffsetOrder},
        body=OffsetOrder,
        codes=(
            *TOKEN, *DATABASE, *ORDER, "invalid_tons", "portfolio_not_found", "portfolio_closed",
            "no_default_portfolio",
        ),
        takes_key=True,
        places_order=True,
    ),
    "GET /api/offset-orders": Endpoint(
        summary="List the account's tonnes",
        tag="Offset orders",
        answers=(OffsetOrderList,),
        parts={"Answer": OffsetOrderList, "A row": OffsetOrderRow},
        query=LIST,
        codes=LIST_CODES,
    ),
    "GET /api/offset-orders/public": Endpoint(
        summary="List the newest orders of all, as everybody may see them",
        tag="Offset orders",
        answers=(list[FeedRow],),
        parts={"A row": FeedRow},
        codes=DATABASE,
        has_etag=True,
    ),
    "POST /api/tree-orders": Endpoint(
        summary="Order trees",
        tag="Tree orders",
        answers=(TreeOrderBody,),
        parts={"Answer": TreeOrderBody, "Request": TreeOrder},
        body=TreeOrder,
        codes=(
            *TOKEN, *DATABASE, *ORDER, "invalid_amount_of_trees", "trees_sold_out",
            "no_tree_provider",
        ),
        takes_key=True,
        places_order=True,
    ),
    "POST /api/tree-orders/preview": Endpoint(
        summary="See what trees would cost",
        tag="Tree orders",
        answers=(TreePreviewBody,),
        parts={"Answer": TreePreviewBody, "Request": TreePreview},
        body=TreePreview,
        codes=(
            *TOKEN, *DATABASE, *BODY, "invalid_amount_of_trees", "trees_sold_out",
            "no_tree_provider", "no_exchange_rate",
        ),
    ),
    "GET /api/tree-orders": Endpoint(
        summary="List the account's trees",
        tag="Tree orders",
        answers=(TreeOrderList,),
        parts={"Answer": TreeOrderList, "A row": TreeOrderRow},
        query=LIST,
        codes=LIST_CODES,
    ),
    "POST /api/project-orders": Endpoint(
        summary="Give an amount for one project",
        tag="Project orders",
        answers=(ProjectOrderBody,),
        parts={"Answer": ProjectOrderBody, "Request": ProjectOrder},
        body=ProjectOrder,
        codes=(
            *TOKEN, *DATABASE, *ORDER, "invalid_project_id", "invalid_amount",
            "project_not_found", "project_closed", "use_tree_orders",
        ),
        takes_key=True,
        places_order=True,
    ),
    "GET /api/project-donations": Endpoint(
        summary="List the account's donations",
        tag="Project orders",
        answers=(list[ProjectDonationRow],),
        parts={"A row": ProjectDonationRow},
        query=LIST,
        codes=LIST_CODES,
        has_link=True,
    ),
    "GET /api/purchases": Endpoint(
        summary="List what the account paid for",
        tag="Purchases",
        answers=(PurchaseList,),
        parts={"Answer": PurchaseList, "A row": PurchaseListRow},
        query=LIST,
        codes=LIST_CODES,
    ),
    "GET /api/orders/{purchaseId}": Endpoint(
        summary="Get one order and its state",
        tag="Purchases",
        answers=(PurchaseBody,),
        parts={"Answer": PurchaseBody},
        codes=(*TOKEN, *DATABASE, "order_not_found"),
    ),
    "GET /api/credits/balance": Endpoint(
        summary="Get the balance of credits",
        tag="Credits",
        answers=(BalanceBody,),
        parts={"Answer": BalanceBody},
        codes=(*TOKEN, *DATABASE),
    ),
    "GET /api/credits/ledger": Endpoint(
        summary="List every change of the balance",
        tag="Credits",
        answers=(EntriesBody,),
        parts={"Answer": EntriesBody},
        query=(
            Parameter(
                name="limit", schema={"type": "integer", "minimum": 1, "default": 50}, example=50
            ),
            Parameter(
                name="offset",
                schema={"type": "integer", "minimum": 0, "default": 0},
                example=0,
            ),
        ),
        codes=LIST_CODES,
    ),
    "POST /api/credits/top-up": Endpoint(
        summary="Buy credits by card",
        tag="Credits",
        answers=(TopUpBody,),
        parts={"Answer": TopUpBody, "Request": TopUp},
        body=TopUp,
        codes=(*TOKEN, *DATABASE, *BODY, *KEY, *CARD, "invalid_amount"),
        takes_key=True,
    ),
    "GET /api/offset-orders/certificate/by-group/{groupId}": Endpoint(
        summary="Get the certificate of an order",
        tag="Certificates",
        answers=(CertificateAnswer,),
        parts={"Answer": CertificateAnswer},
        codes=(*TOKEN, *DATABASE, "certificate_not_found"),
    ),
    "GET /api/certificates/{slug}/verify": Endpoint(
        summary="Verify the certificate at an address",
        tag="Certificates",
        answers=(VerificationAnswer,),
        parts={"Answer": VerificationAnswer},
        codes=(*DATABASE, "certificate_not_found"),
        has_etag=True,
    ),
    "GET /api/certificates/by-number/{number}": Endpoint(
        summary="Get the state of a certificate by its number",
        tag="Certificates",
        answers=(NumberAnswer,),
        parts={"Answer": NumberAnswer},
        codes=(*DATABASE, "invalid_certificate_number", "certificate_not_found"),
        has_etag=True,
    ),
    "POST /api/certificates/verify": Endpoint(
        summary="Verify a signed certificate",
        tag="Certificates",
        answers=(VerificationAnswer,),
        parts={"Request": CertificateToVerify},
        body=CertificateToVerify,
        codes=(*DATABASE, *READ, "invalid_certificate"),
    ),
    "GET /api/openapi.json": Endpoint(
        summary="Get this description", tag="Reference", has_etag=True
    ),
    "GET /api/docs": Endpoint(summary="Read this description and try requests", tag="Reference"),
}  # fmt: skip
