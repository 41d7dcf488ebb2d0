"""What the fields of answers are made of, as types that tell the API's description what they hold.

To the program they are plain `str`, `int` and `Decimal`; the annotations say to a reader of
`openapi.json` what a number cannot be below and how a text is written. Answers are not validated by
them: tests hold true answers against the description instead.
"""

from decimal import Decimal
from typing import Annotated, TypeAlias

from msgspec import Meta

Instant: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339 in UTC with milliseconds."""
Address: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
Uuid: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
GivenId: TypeAlias = Annotated[str, Meta(min_length=1)]
"""Drawn by us or by the card processor; of no form that a client may rely on."""
CurrencyCode: TypeAlias = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
"""ISO 4217."""

Count: TypeAlias = Annotated[int, Meta(ge=0)]
IntegerId: TypeAlias = Annotated[int, Meta(ge=1)]
"""By which an account, a portfolio or a project is known."""
MinorAmount: TypeAlias = Annotated[int, Meta(ge=0)]
"""An amount in the smallest unit of a currency; US cents where no currency is named."""
SplitCents: TypeAlias = Annotated[Decimal, Meta(extra_json_schema={"minimum": 0})]
"""US cents, maybe with a fraction."""
Dollars: TypeAlias = Annotated[Decimal, Meta(extra_json_schema={"minimum": 0})]
Tonnes: TypeAlias = Annotated[Decimal, Meta(extra_json_schema={"minimum": 0})]
FractionOfOne: TypeAlias = Annotated[Decimal, Meta(extra_json_schema={"minimum": 0, "maximum": 1})]
"""A fraction of one."""
Measure: TypeAlias = Annotated[Decimal, Meta(extra_json_schema={"minimum": 0})]
Percentile: TypeAlias = Annotated[Decimal, Meta(extra_json_schema={"minimum": 0, "maximum": 100})]
