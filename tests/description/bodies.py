"""What a POST takes, as types. The program reads bodies field by field (`http/body.py`).

`tests/api/test_description_holds.py` sends each field at its bound and over it, so that these
types and what is read cannot part; names are held by the fields that the readers ask for.
"""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fieldfare.kernel import limits
from fieldfare.kernel.mass import MAX_ORDER_TONNES, MG_PER_TONNE
from fieldfare.kernel.text import BIDI, CONTROL_BUT_LINES
from fieldfare.payments.rules.topping_up import MAX_CENTS, MIN_CENTS


def _pattern(text: str) -> str:
    """With escapes that every dialect of regular expressions reads alike."""
    return "".join(c if c.isprintable() and c.isascii() else f"\\u{ord(c):04x}" for c in text)


PLAIN = _pattern(f"^[^{CONTROL_BUT_LINES}\n\t{BIDI}]*$")
WITH_LINES = _pattern(f"^(?:\r\n|[^{CONTROL_BUT_LINES}{BIDI}])*$")

Line: TypeAlias = Annotated[str, Meta(pattern=PLAIN)]
MetadataKey: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=limits.METADATA_KEY_CHARACTERS, pattern=PLAIN)
]
MetadataValue: TypeAlias = Annotated[
    str, Meta(max_length=limits.METADATA_VALUE_CHARACTERS, pattern=PLAIN)
]
Metadata: TypeAlias = Annotated[
    dict[MetadataKey, MetadataValue], Meta(max_length=limits.METADATA_PAIRS)
]
Note: TypeAlias = Annotated[str, Meta(max_length=limits.NOTE_CHARACTERS, pattern=WITH_LINES)]
Exact: TypeAlias = Annotated[int, Meta(ge=1, le=limits.EXACT_INTEGER)]
Trees: TypeAlias = Annotated[int, Meta(ge=1, le=limits.ORDER_TREES)]


class EveryOrder(msgspec.Struct, rename="camel", kw_only=True):
    """What an order of any kind takes."""

    payment_method: Literal["stripe", "credits"] | None = "stripe"
    dry_run: bool | None = False
    send_receipt_email: bool | None = False
    max_amount_charged: Exact | UnsetType | None = UNSET
    on_behalf_of_name: (
        Annotated[Line, Meta(max_length=limits.ON_BEHALF_OF_NAME_CHARACTERS)] | UnsetType | None
    ) = UNSET
    on_behalf_of_email: (
        Annotated[Line, Meta(max_length=limits.ON_BEHALF_OF_EMAIL_CHARACTERS)] | UnsetType | None
    ) = UNSET
    note: Note | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class OffsetOrder(EveryOrder, rename="camel", kw_only=True):
    """The body of `POST /api/offset-orders`."""

    # Half a milligram is rounded up to one.
    tons: Annotated[float, Meta(ge=0.5 / MG_PER_TONNE, le=MAX_ORDER_TONNES)]
    portfolio_id: Exact | UnsetType | None = UNSET


class TreeOrder(EveryOrder, rename="camel", kw_only=True):
    """The body of `POST /api/tree-orders`."""

    amount_of_trees: Trees


class TreePreview(msgspec.Struct, rename="camel"):
    """The body of `POST /api/tree-orders/preview`."""

    amount_of_trees: Trees


class ProjectOrder(EveryOrder, rename="camel", kw_only=True):
    """The body of `POST /api/project-orders`."""

    project_id: Exact
    amount_in_usd_cents: Annotated[
        int, Meta(ge=limits.PROJECT_ORDER_LEAST_CENTS, le=limits.PROJECT_ORDER_MOST_CENTS)
    ]


class CertificateToVerify(msgspec.Struct, rename="camel"):
    """The body of `POST /api/certificates/verify`, unless the document itself is the body."""

    # Whatever is wrong with a document is the answer, not a refusal.
    signed: Any = UNSET


class TopUp(msgspec.Struct, rename="camel"):
    """The body of `POST /api/credits/top-up`."""

    amount_in_usd_cents: Annotated[int, Meta(ge=MIN_CENTS, le=MAX_CENTS)]
