"""The description beside the running API: served as it stands, and true of what is sent."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fieldfare.web.reference import DESCRIPTION
from tests.support.cards import CardShop, Team, card_shop
from tests.support.client import Api
from tests.tidy.test_api_pages import REQUESTS
from tests.tidy.test_description import DOCUMENT, OPERATIONS, schema_of_body

POSTS = [endpoint for endpoint in OPERATIONS if endpoint.startswith("POST ")]
RIGHT: dict[str, dict[str, Any]] = {
    "POST /api/offset-orders": {"tons": 0.5, "paymentMethod": "credits", "dryRun": True},
    "POST /api/tree-orders": {"amountOfTrees": 5, "paymentMethod": "credits", "dryRun": True},
    "POST /api/tree-orders/preview": {"amountOfTrees": 5},
    "POST /api/project-orders": {
        "projectId": 2, "amountInUsdCents": 500, "paymentMethod": "credits", "dryRun": True,
    },
    "POST /api/credits/top-up": {"amountInUsdCents": 500},
    "POST /api/certificates/verify": {},
}  # fmt: skip
"""A body that is taken, to which one field is done at a time; nothing is charged but a top-up."""
JSON_TYPE, FORM_TYPE = "application/json", "application/x-www-form-urlencoded"


def send(base_url: str, endpoint: str, token: str, body: Any, kind: str) -> httpx.Response:
    """A body as JSON or as a form, with pairs as a form has them."""
    url = base_url + endpoint.removeprefix("POST ")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    if kind == JSON_TYPE:
        return httpx.post(url, content=json.dumps(body), headers=headers, timeout=30)
    return httpx.post(url, data=as_form(body), headers=headers, timeout=30)


def as_form(body: dict[str, Any]) -> dict[str, str]:
    """The same fields as text."""
    form: dict[str, str] = {}
    for name, value in body.items():
        if isinstance(value, dict):
            form |= {f"{name}[{key}]": text for key, text in value.items()}
        else:
            form[name] = value if isinstance(value, str) else json.dumps(value)
    return form


# --------------------------------------------------------------------------- served


def test_it_is_served_as_it_stands_in_the_repository(calm_api: Api) -> None:
    answer = calm_api.http.get("/api/openapi.json")
    assert answer.json() == json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    assert b'": ' not in answer.content[:200]
    etag = answer.headers["etag"]
    again = calm_api.http.get("/api/openapi.json", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    other = calm_api.http.get("/api/openapi.json", headers={"If-None-Match": '"another"'})
    assert other.status_code == 200


def test_the_page_loads_nothing_from_elsewhere(calm_api: Api) -> None:
    page = calm_api.http.get("/api/docs")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert not re.findall(r"https?:|\*|unsafe-eval", policy)
    assert not re.findall(r"<script>|<style|https?://", page.text)
    loaded = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(loaded) == 4
    for address in loaded:
        assert calm_api.http.get(address).status_code == 200, address


# --------------------------------------------------------------------------- bodies


def over_and_at(endpoint: str) -> Iterator[tuple[str, Any, bool]]:
    """Each field with what is just within a bound of its schema, and what is just outside."""
    for name, schema in schema_of_body(endpoint)["properties"].items():
        if "type" not in schema:
            # A document, of which nothing is refused: whatever is wrong with it is the answer.
            continue
        for value, is_within in values_around(schema):
            yield name, value, is_within


def values_around(schema: dict[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Values at every bound that a schema has, and whether they are within it."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    yield None, "null" in kinds
    yield [1], False
    if "minimum" in schema:
        step = 1 if "integer" in kinds else schema["minimum"] * 0.1
        yield schema["minimum"], True
        yield schema["minimum"] - step, False
        yield "1x", False
    if "maximum" in schema:
        yield schema["maximum"], True
        yield schema["maximum"] + (1 if "integer" in kinds else 0.001), False
    if "integer" in kinds:
        yield 5.5, False
    if "boolean" in kinds:
        yield from ((True, True), (False, True), ("maybe", False))
    if "enum" in schema:
        yield from ((word, True) for word in schema["enum"])
        yield "another", False
    elif "string" in kinds:
        yield from text_around(schema)
    if "object" in kinds:
        yield from pairs_around(schema)


def text_around(schema: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Texts at the length of a schema, and with characters on either side of its pattern."""
    yield "é" * schema["maxLength"], True
    yield "é" * (schema["maxLength"] + 1), False
    for character in ("\x00", "\x1f", "\x7f", "\x9f", "\u2028", "\u202e", "\u2066", "\t", "\n"):
        yield f"a{character}b", re.search(schema["pattern"], f"a{character}b") is not None
    yield " \u00a0\u2027\u202f\u2065\u206a\U0001f333", True


def pairs_around(schema: dict[str, Any]) -> Iterator[tuple[dict[str, str], bool]]:
    """Pairs at each bound of their number, their names and their values."""
    key, value = schema["propertyNames"], schema["additionalProperties"]
    most = schema["maxProperties"]
    yield {f"k{n}": "v" for n in range(most)}, True
    yield {f"k{n}": "v" for n in range(most + 1)}, False
    yield {"": "v"}, False
    yield from (({text: "v"}, ok) for text, ok in text_around(key))
    yield from (({"k": text}, ok) for text, ok in text_around(value))


@pytest.mark.parametrize("endpoint", sorted(RIGHT))
@pytest.mark.parametrize("kind", [JSON_TYPE, FORM_TYPE])
def test_a_body_is_taken_up_to_its_bounds_and_no_further(
    calm_api: Api, endpoint: str, kind: str
) -> None:
    """In test mode: a dry run is not one if `dryRun` is what is done to."""
    assert set(RIGHT) == set(REQUESTS) == set(POSTS)
    told = []
    for name, value, is_within in over_and_at(endpoint):
        if kind == FORM_TYPE and (value is None or isinstance(value, list)):
            continue
        body = {**RIGHT[endpoint], name: value}
        answer = send(calm_api.base_url, endpoint, calm_api.world.test_token, body, kind)
        code = answer.json().get("code")
        if is_within != (code is None or code in allowed_at_bound(name, value)):
            told.append((name, str(value)[:40], is_within, answer.text[:200]))
    assert told == []


def allowed_at_bound(name: str, value: Any) -> set[str]:
    """What a field within its bounds may be refused for: what is sold, and what it costs."""
    match name:
        case "portfolioId" | "projectId" if isinstance(value, int) and value >= 1:
            return {"portfolio_not_found", "project_not_found"}
        case "maxAmountCharged" if value == 1:
            return {"price_above_maximum"}
        case "tons" | "amountOfTrees" | "amountInUsdCents":
            return {"insufficient_credits"}
        case _:
            return set()


# --------------------------------------------------------------------------- examples


@pytest.fixture(scope="module")
def seller(server_url: str, template: str) -> Iterator[tuple[CardShop, Team]]:
    """A shop, and a team that can pay for every example."""
    with card_shop(server_url, template) as shop:
        shop.begin()
        team = shop.team()
        assert shop.top_up(team, cents=100_000).status_code == 200
        yield shop, team


@pytest.mark.parametrize("endpoint", sorted(RIGHT))
def test_every_example_of_a_body_is_taken(seller: tuple[CardShop, Team], endpoint: str) -> None:
    shop, team = seller
    content = DOCUMENT["paths"][endpoint.removeprefix("POST ")]["post"]["requestBody"]["content"]
    for kind, shown in content.items():
        assert shown["examples"], kind
        for example in shown["examples"].values():
            answer = send(shop.base_url, endpoint, team.token, example["value"], kind)
            assert answer.status_code == 200, (example, answer.text)
