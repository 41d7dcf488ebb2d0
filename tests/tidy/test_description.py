"""`/api/openapi.json`: valid, complete, as it would be made now, and in good style.

The rules of style are those of Spectral's own set for OpenAPI, held here so that Python is enough
to keep them (docs/decisions/0020-api-description.md).
"""

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from fieldfare.http.encoding import encode_problem
from fieldfare.kernel.errors import ProblemError
from fieldfare.routes import ROUTES
from fieldfare.web.reference import DESCRIPTION
from tests.description import prose
from tests.description.document import endpoint_of
from tests.description.endpoints import ENDPOINTS, NOBODY_READS, OF_PATHS, codes_of
from tests.description.shapes import as_form
from tests.description.write import text
from tests.tidy.house import SOURCE
from tests.tidy.problems import Problem, list_problems
from tests.tidy.test_api_pages import REQUESTS, NotingFields

METHODS = ("get", "post")
DOCUMENT: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
SIGNED = {"SignedCertificate", "CertificateBody", "SignedProject", "Retirement"}
"""What is verified as it stands."""
ASSETS = SOURCE / "web" / "static" / "swagger-ui"


def test_it_is_what_would_be_made_now() -> None:
    """If not: `python -m tests.description.write`, and look at what it changes."""
    assert DESCRIPTION.read_text(encoding="utf-8") == text()


def test_it_is_valid() -> None:
    validate(DOCUMENT)


def test_every_route_of_the_api_is_described() -> None:
    served = {endpoint_of(route) for route in ROUTES if route.path.startswith("/api/")}
    assert served == set(ENDPOINTS) == set(OPERATIONS)


def test_every_code_of_the_page_is_given_by_some_endpoint() -> None:
    given = {code for endpoint in ENDPOINTS for code in expected_codes(endpoint)}
    assert given | {*NOBODY_READS, *OF_PATHS} == set(prose.codes())
    assert not given & {*NOBODY_READS, *OF_PATHS}


@pytest.mark.parametrize("endpoint", OPERATIONS)
def test_each_status_has_the_codes_that_come_with_it(endpoint: str) -> None:
    statuses = statuses_of_codes()
    told = {
        Problem(code, int(status))
        for status, answer in OPERATIONS[endpoint]["responses"].items()
        if int(status) >= 400
        for code in codes_in(answer)
    }
    expected = expected_codes(endpoint)
    assert told == {Problem(code, statuses[code]) for code in expected}
    assert len(set(expected)) == len(expected)


def expected_codes(endpoint: str) -> tuple[str, ...]:
    """The codes that an operation gives."""
    (route,) = (route for route in ROUTES if endpoint_of(route) == endpoint)
    return codes_of(route, ENDPOINTS[endpoint])


@cache
def statuses_of_codes() -> dict[str, int]:
    """The status that the program gives each code."""
    return {problem.code: problem.status for problem in list_problems()}


def codes_in(answer: dict[str, Any]) -> list[str]:
    """The codes of a refusal, from its schema; its text has a line for each."""
    _, own = answer["content"]["application/json"]["schema"]["allOf"]
    codes: list[str] = own["properties"]["code"]["enum"]
    assert re.findall(r"^- `(\w+)`: \S", answer["description"], re.MULTILINE) == codes
    return codes


@pytest.mark.parametrize("endpoint", REQUESTS)
def test_the_fields_of_a_body_are_those_that_are_read(endpoint: str) -> None:
    read, body = REQUESTS[endpoint]
    fields = NotingFields(body)
    read(fields)
    schema = schema_of_body(endpoint)
    assert sorted(schema["properties"]) == sorted(fields.asked)
    assert set(schema.get("required", ())) == set(json.loads(body))


def schema_of_body(endpoint: str) -> dict[str, Any]:
    """The schema of an endpoint's body, which is the same for both kinds."""
    content = OPERATIONS[endpoint]["requestBody"]["content"]
    assert list(content) == ["application/json", "application/x-www-form-urlencoded"]
    in_json, in_form = (shown["schema"]["$ref"].rpartition("/")[2] for shown in content.values())
    schemas = DOCUMENT["components"]["schemas"]
    schema: dict[str, Any] = schemas[in_json]
    assert in_form == f"{in_json}Form"
    assert schemas[in_form] == as_form(schema)
    assert list(schemas[in_form]["properties"]) == list(schema["properties"])
    return schema


def test_a_refusal_has_the_fields_that_are_told() -> None:
    whole = ProblemError("m", param="p", purchase_id="i")
    fields = DOCUMENT["components"]["schemas"]["Problem"]["properties"]
    assert sorted(json.loads(encode_problem(whole))) == sorted(fields)


# --------------------------------------------------------------------------- style


def test_each_operation_says_what_it_is() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    tags = [tag["name"] for tag in DOCUMENT["tags"]]
    for endpoint, operation in OPERATIONS.items():
        assert set(operation["tags"]) <= set(tags), endpoint
        assert operation["summary"], endpoint
        assert len(operation["description"].split()) > 5, endpoint
        assert "security" in operation, endpoint
    used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}
    assert used == set(tags)


def test_each_field_and_parameter_has_words_and_an_example() -> None:
    lacking = [where for where, shown in leaves() if not shown.get("description")]
    bare = [
        where
        for where, shown in leaves()
        if not {"const", "example", "examples", "default"} & set(shown)
    ]
    assert (lacking, bare) == ([], [])


def leaves() -> Iterator[tuple[str, dict[str, Any]]]:
    """What a client fills in or reads: fields that hold no component, parameters, headers."""
    components = DOCUMENT["components"]
    for name, schema in components["schemas"].items():
        for field, shown in schema["properties"].items():
            if '"$ref"' not in json.dumps(shown):
                yield f"{name}.{field}", shown
    for kind in ("headers", "parameters"):
        yield from components[kind].items()
    for endpoint, operation in OPERATIONS.items():
        for shown in operation["parameters"]:
            if "$ref" not in shown:
                yield f"{endpoint}?{shown['name']}", shown


def test_nothing_is_left_unused() -> None:
    refs = set(re.findall(r'"\$ref": "#/components/(\w+)/([\w-]+)"', json.dumps(DOCUMENT)))
    named = {
        (kind, name)
        for kind, components in DOCUMENT["components"].items()
        for name in components
        if kind != "securitySchemes"
    }
    assert refs == named


def test_each_example_is_what_its_schema_says() -> None:
    faults = [
        f"{where}: {error.message[:200]}"
        for where, schema, example in examples(DOCUMENT, "")
        for error in validator(schema).iter_errors(example)
    ]
    assert faults == []


def examples(node: Any, where: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every example of the document beside the schema that it is of."""
    if isinstance(node, list):
        for number, part in enumerate(node):
            yield from examples(part, f"{where}[{number}]")
    if not isinstance(node, dict):
        return
    if "schema" in node:
        shown = [one["value"] for one in node.get("examples", {}).values()]
        shown += [node["example"]] if "example" in node else []
        yield from ((where, node["schema"], one) for one in shown)
    elif isinstance(node.get("examples"), list):
        yield from ((where, node, one) for one in node["examples"])
    for name, part in node.items():
        yield from examples(part, f"{where}/{name}")


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Of a schema that may point at the components."""
    return Draft202012Validator(
        rebased(schema),
        registry=registry(),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


@cache
def registry() -> Registry[Any]:
    """The document under a name."""
    empty: Registry[Any] = Registry()
    whole: Registry[Any] = empty.with_resource("api", DRAFT202012.create_resource(DOCUMENT))
    return whole


def rebased(value: Any) -> Any:
    """A schema whose references name the document."""
    if isinstance(value, dict):
        return {
            name: f"api{part}" if name == "$ref" else rebased(part) for name, part in value.items()
        }
    return [rebased(part) for part in value] if isinstance(value, list) else value


def test_an_example_that_does_not_fit_is_seen() -> None:
    schema = {"$ref": "#/components/schemas/TopUp"}
    assert list(validator(schema).iter_errors({"amountInUsdCents": 99}))
    assert not list(validator(schema).iter_errors({"amountInUsdCents": 100}))


# --------------------------------------------------------------------------- the page's assets


def test_the_assets_are_those_of_their_notice() -> None:
    notice = (ASSETS / "NOTICE").read_text(encoding="utf-8")
    lines = re.findall(r"^([0-9a-f]{64})  (\S+)$", notice, re.MULTILINE)
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in ASSETS.iterdir()
        if path.name not in ("NOTICE", "start.js")
    }
    assert found == {name: digest for digest, name in lines}


def test_nothing_is_closed_to_new_fields() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        is_signed = name in SIGNED
        assert (schema.get("additionalProperties") is False) is is_signed, name
    assert msgspec.json.decode(msgspec.json.encode(DOCUMENT)) == DOCUMENT
