"""`docs/api` tells of every endpoint, and names each field of a request and of an answer."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from fieldfare.catalog.schemas import FullList, ShortList
from fieldfare.http.body import JsonFields
from fieldfare.impact.api.paged import read_query
from fieldfare.impact.schemas import (
    FeedRow,
    OffsetOrderRow,
    ProjectDonationRow,
    PurchaseListRow,
    StatsBody,
    TreeOrderRow,
)
from fieldfare.impact.schemas.certificates import (
    CertificateAnswer,
    NumberAnswer,
    VerificationAnswer,
    read_signed_document,
)
from fieldfare.ledger.schemas import BalanceBody, EntriesBody
from fieldfare.orders.schemas import (
    read_offset_order,
    read_project_order,
    read_tree_order,
    read_trees,
)
from fieldfare.orders.schemas.answers import (
    OffsetOrderBody,
    ProjectOrderBody,
    PurchaseBody,
    TreeOrderBody,
    TreePreviewBody,
)
from fieldfare.payments.rules.topping_up import TopUpBody
from fieldfare.payments.schemas import read_top_up
from fieldfare.routes import ROUTES
from tests.tidy.pages import list_sections, names_of

SECTIONS = {section.endpoint: section for section in list_sections()}
LIST_ENDS = {"nextCursor", "test"}
ANSWERS: dict[tuple[str, str], set[str]] = {
    ("POST /api/offset-orders", "Answer"): names_of(OffsetOrderBody),
    ("POST /api/tree-orders", "Answer"): names_of(TreeOrderBody),
    ("POST /api/tree-orders/preview", "Answer"): names_of(TreePreviewBody),
    ("POST /api/project-orders", "Answer"): names_of(ProjectOrderBody),
    ("POST /api/credits/top-up", "Answer"): names_of(TopUpBody),
    ("GET /api/orders/{purchaseId}", "Answer"): names_of(PurchaseBody),
    ("GET /api/credits/balance", "Answer"): names_of(BalanceBody),
    ("GET /api/credits/ledger", "Answer"): names_of(EntriesBody),
    ("GET /api/portfolios", "Answer"): names_of(ShortList),
    ("GET /api/portfolios", "Expanded"): names_of(FullList),
    ("GET /api/offset-orders", "Answer"): {
        *(f"stats.{name}" for name in names_of(StatsBody)),
        "offsetOrders",
        "uncertifiedOffsetOrders",
        *LIST_ENDS,
    },
    ("GET /api/offset-orders", "A row"): names_of(OffsetOrderRow),
    ("GET /api/offset-orders/public", "A row"): names_of(FeedRow),
    ("GET /api/tree-orders", "Answer"): {"treeOrders", *LIST_ENDS},
    ("GET /api/tree-orders", "A row"): names_of(TreeOrderRow),
    ("GET /api/project-donations", "A row"): names_of(ProjectDonationRow),
    ("GET /api/purchases", "Answer"): {"purchases", *LIST_ENDS},
    ("GET /api/purchases", "A row"): names_of(PurchaseListRow),
    ("GET /api/offset-orders/certificate/by-group/{groupId}", "Answer"): names_of(
        CertificateAnswer
    ),
    ("GET /api/certificates/{slug}/verify", "Answer"): names_of(VerificationAnswer),
    ("POST /api/certificates/verify", "Answer"): names_of(VerificationAnswer),
    ("GET /api/certificates/by-number/{number}", "Answer"): names_of(NumberAnswer),
}
REQUESTS: dict[str, tuple[Callable[[Any], Any], bytes]] = {
    "POST /api/offset-orders": (read_offset_order, b'{"tons": 1}'),
    "POST /api/tree-orders": (read_tree_order, b'{"amountOfTrees": 1}'),
    "POST /api/tree-orders/preview": (read_trees, b'{"amountOfTrees": 1}'),
    "POST /api/project-orders": (
        read_project_order,
        b'{"projectId": 1, "amountInUsdCents": 100}',
    ),
    "POST /api/credits/top-up": (read_top_up, b'{"amountInUsdCents": 100}'),
    "POST /api/certificates/verify": (read_signed_document, b"{}"),
}
"""How a body is read, and one that is read to its end."""
REFERENCE = {"GET /api/openapi.json", "GET /api/docs"}
"""Whose answers are this very description, and a page."""
LISTS = [endpoint for endpoint, part in ANSWERS if part == "A row" and "public" not in endpoint]


class NotingFields(JsonFields):
    """A body that notes which fields it is asked for."""

    def __init__(self, body: bytes) -> None:
        super().__init__(msgspec.json.decode(body, type=dict[str, msgspec.Raw]))
        self.asked: list[str] = []

    def _raw(self, name: str) -> bytes | None:
        self.asked.append(name)
        return super()._raw(name)


class NotingQuery(dict[str, str]):
    """Parameters that note which of them are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """As a dict's."""
        self.asked.add(name)
        return super().get(name, default)


def camel(name: str) -> str:
    """A name as the wire writes it."""
    first, *others = name.removesuffix(":str").split("_")
    return first + "".join(map(str.title, others))


def test_every_endpoint_of_the_api_has_its_section() -> None:
    served = {
        f"{route.method} {re.sub('[^{]+:str', lambda named: camel(named[0]), route.path)}"
        for route in ROUTES
        if route.path.startswith("/api/")
    }
    assert set(SECTIONS) == served
    assert len(SECTIONS) == len(list_sections())


@pytest.mark.parametrize(("endpoint", "part"), ANSWERS)
def test_an_answer_has_each_of_its_fields(endpoint: str, part: str) -> None:
    named = SECTIONS[endpoint].fields(part)
    assert sorted(named) == sorted(ANSWERS[endpoint, part])


def test_no_answer_is_left_out() -> None:
    parts = {
        (section.endpoint, part)
        for section in SECTIONS.values()
        for part in section.parts
        if part not in ("Request", "Query")
    }
    assert parts == set(ANSWERS)
    assert {endpoint for endpoint, _ in ANSWERS} == set(SECTIONS) - REFERENCE


@pytest.mark.parametrize("endpoint", [one for one in SECTIONS if one.startswith("POST ")])
def test_a_request_has_each_field_that_is_read(endpoint: str) -> None:
    read, body = REQUESTS[endpoint]
    fields = NotingFields(body)
    read(fields)
    assert sorted(SECTIONS[endpoint].fields("Request")) == sorted(fields.asked)


@pytest.mark.parametrize("endpoint", LISTS)
def test_a_list_has_each_parameter_that_is_read(endpoint: str) -> None:
    query = NotingQuery()
    read_query(query)
    named = set(SECTIONS[endpoint].fields("Query"))
    assert named == query.asked | {"metadata[key]"}


class Inner(msgspec.Struct, rename="camel"):
    """Part of another."""

    some_name: int


class Outer(msgspec.Struct):
    """Holds another in every way."""

    one: Inner
    many: list[Inner]
    maybe: Inner | msgspec.UnsetType = msgspec.UNSET
    plain: Mapping[str, str] = {}


def test_a_field_inside_is_named_by_its_path() -> None:
    assert names_of(Outer) == {"one.someName", "many[].someName", "maybe.someName", "plain"}
