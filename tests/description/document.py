"""The whole document: routes, types, words and examples put together."""

import json
import re
import tomllib
from typing import Any

from fieldfare.http.body import FORM_TYPE, JSON_TYPE
from fieldfare.http.edge import Route
from fieldfare.http.encoding import ErrorBody
from fieldfare.routes import ROUTES
from tests.description import prose
from tests.description.common import HEADERS, INFO, LINKS, PARAMETERS, SECURITY, TAGS
from tests.description.endpoints import ENDPOINTS, Endpoint, Parameter, codes_of
from tests.description.examples import Shown, shown_of, slug, values_at
from tests.description.shapes import Schema, as_form, schemas_of, tell_fields
from tests.tidy.house import ROOT

PROBLEM = "Problem"
FORM = "Form"
"""What the component of a form is called, after that of the same body in JSON."""
HTML = "text/html"
# Of fields that no page shows a value of.
MORE_EXAMPLES: dict[str, Any] = {
    "portfolioId": 2, "dryRun": True, "sendReceiptEmail": True, "maxAmountCharged": 5000,
    "onBehalfOfName": "Grace Hopper", "onBehalfOfEmail": "grace@example.com",
    "on_behalf_of_email": "grace@example.com", "on_behalf_of_name": "Grace Hopper",
    "note": "Team offsite", "metadata": {"trip": "4711"}, "trip": "4711",
    "image_url": "https://example.com/team.png", "profile_url": "https://example.com/team",
    "registry": "Plan Vivo", "param": "tons", "purchaseId": "01a20016-d407-77a2-aab4-ae24692e11fc",
    "nextCursor": "01a20016-d407-77a2-aab4-ae24692e11fc", "projectId": 2,
    "amountInUsdCents": 2500, "serial": "PV-2024-000123", "vintage": "2024", "reason": "refunded",
    "url": "https://registry.example/retirements/123", "signed": {"format": "…"},
    "groupId": "01a20016-d407-77a2-aab4-ae24692e11fc",
    "slug": "504d6343989944fc952ce2cf6f6e80e7", "number": "2K5B-826S-62BT",
}  # fmt: skip
PLACES = {
    "purchaseId": "The purchase's UUID, or the order group's id.",
    "groupId": "The order group's id, or the purchase's UUID.",
    "slug": "The last part of the certificate's address.",
    "number": "The certificate's number; case, hyphens and blanks do not matter.",
}
"""What stands in a path."""
AN_INSTANT = "2026-01-31T09:30:00.125Z"


def document() -> Schema:
    """The description of every route under `/api`."""
    endpoints = {endpoint_of(route): route for route in ROUTES if route.path.startswith("/api/")}
    bodies, components = _schemas()
    paths: Schema = {}
    for name, route in endpoints.items():
        method, path = name.split(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(name, route, bodies)
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Fieldfare",
            "version": version,
            "summary": "Climate impact by API: tonnes of CO₂e, trees and projects.",
            "description": INFO,
            "contact": {"name": "Whoever runs this Fieldfare"},
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The host that this description comes from"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": HEADERS,
            "parameters": PARAMETERS,
            "securitySchemes": SECURITY,
        },
    }


def endpoint_of(route: Route) -> str:
    """`GET /api/orders/{purchaseId}`: a route as the pages and the description name it."""
    path = re.sub(r"\{(\w+):str\}", lambda match: "{" + _camel(match[1]) + "}", route.path)
    return f"{route.method} {path}"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


# --------------------------------------------------------------------------- schemas


def _schemas() -> tuple[dict[str, Schema], dict[str, Schema]]:
    """The schema of each endpoint's 200, and all components with their words and examples."""
    answers = [(name, answer) for name, one in ENDPOINTS.items() for answer in one.answers]
    asked = [one.body for one in ENDPOINTS.values() if one.body]
    shown, components = schemas_of([*(answer for _, answer in answers), *asked, ErrorBody])
    components[PROBLEM] = components.pop("ErrorBody")
    for name, endpoint in ENDPOINTS.items():
        for part, struct in endpoint.parts.items():
            _tell_part(components, name, part, struct.__name__)
    for endpoint in ENDPOINTS.values():
        if endpoint.body:
            name = endpoint.body.__name__
            components[f"{name}{FORM}"] = as_form(components[name])
    _tell_problem(components)
    answered: dict[str, list[Schema]] = {}
    for (name, _), schema in zip(answers, shown, strict=False):
        answered.setdefault(name, []).append(schema)
    return {name: _one_of(several) for name, several in answered.items()}, components


def _one_of(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _tell_part(components: dict[str, Schema], endpoint: str, part: str, root: str) -> None:
    told = prose.fields(endpoint, part)
    shown = [_seen(one, part, endpoint) for one in shown_of(endpoint)]

    def tell(path: str) -> tuple[str | None, Any]:
        return told.get(path), _example(path, shown)

    tell_fields(components, root, tell)
    components[root]["properties"] = _required_first(components[root])


def _seen(shown: Shown, part: str, endpoint: str) -> Any:
    """What an example shows of a part: what is sent, what is answered, or a row of it."""
    if part == "Request":
        return shown.body if shown.is_json else None
    if part != "A row":
        return shown.answer
    rows = shown.answer if isinstance(shown.answer, list) else []
    if isinstance(shown.answer, dict):
        rows = [row for rows in shown.answer.values() if isinstance(rows, list) for row in rows]
    return {name: value for row in rows for name, value in row.items() if value is not None}


def _example(path: str, shown: list[Any]) -> Any:
    found = next(values_at(path, shown), None)
    name = path.rpartition(".")[2]
    if found is None:
        found = MORE_EXAMPLES.get(name)
    if found is None and name.endswith(("At", "_at")):
        return AN_INSTANT
    return found


def _required_first(schema: Schema) -> Schema:
    required = schema.get("required", [])
    fields: dict[str, Schema] = schema["properties"]
    if not any("default" in field for field in fields.values()):
        return fields
    return {name: fields[name] for name in sorted(fields, key=lambda name: name not in required)}


def _tell_problem(components: dict[str, Schema]) -> None:
    told = {
        "message": "For people; it always names the next step.",
        "code": "For programs; it does not change.",
        "param": "The field to blame, where one is.",
        "purchaseId": "The order or top-up whose outcome is not known yet.",
    }
    seen: list[Any] = [{
        "message": "tons must be more than 0, for instance 0.5.", "code": "invalid_tons",
    }]  # fmt: skip
    problem = components[PROBLEM]
    problem["description"] = "What every answer is that is not a success."
    for field in ("param", "purchaseId"):
        # Left out rather than null.
        problem["properties"][field] = {"type": "string"}
    tell_fields(components, PROBLEM, lambda path: (told[path], _example(path, seen)))


# --------------------------------------------------------------------------- operations


def _operation(name: str, route: Route, bodies: dict[str, Schema]) -> Schema:
    endpoint = ENDPOINTS[name]
    made: Schema = {
        "operationId": _camel(route.handler.__name__),
        "summary": endpoint.summary,
        "description": prose.intro(name),
        "tags": [endpoint.tag],
        "parameters": _parameters(name, route, endpoint),
    }
    if endpoint.body:
        made["requestBody"] = _request_body(name, endpoint, route.max_body_bytes)
    made["responses"] = _responses(name, route, endpoint, bodies.get(name))
    made["security"] = _security(route, endpoint)
    return made


def _security(route: Route, endpoint: Endpoint) -> list[Schema]:
    tokens: list[Schema] = [{"bearer": []}, {"basic": []}]
    if route.needs == "token":
        return tokens
    return [{}, *tokens] if endpoint.knows_tokens else []


def _parameters(name: str, route: Route, endpoint: Endpoint) -> list[Schema]:
    headers = ["X-Request-Id"]
    if route.method == "POST" and route.needs == "token":
        headers.insert(0, "Idempotency-Key")
    if endpoint.has_etag:
        headers.insert(0, "If-None-Match")
    return [
        *(_path_parameter(one) for one in re.findall(r"\{(\w+)\}", name)),
        *(_query_parameter(name, one) for one in endpoint.query),
        *({"$ref": f"#/components/parameters/{header}"} for header in headers),
    ]


def _path_parameter(name: str) -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": PLACES[name],
        "schema": {"type": "string", "minLength": 1},
        "example": MORE_EXAMPLES[name],
    }


def _query_parameter(endpoint: str, parameter: Parameter) -> Schema:
    parts = prose.sections()[endpoint].parts
    own = prose.fields(endpoint, "Query") if "Query" in parts else {}
    told = own.get(parameter.name) or prose.list_parameters().get(parameter.name)
    made: Schema = {
        "name": parameter.name,
        "in": "query",
        "description": told or "Whatever its value: all that is public comes back, in camelCase.",
        "schema": dict(parameter.schema),
        "example": parameter.example,
    }
    if parameter.style:
        made |= {"style": parameter.style, "explode": True}
    return made


def _request_body(name: str, endpoint: Endpoint, most_bytes: int) -> Schema:
    ref = f"#/components/schemas/{endpoint.body.__name__}"
    sent = [one for one in shown_of(name) if one.is_json and one.status == 200]
    examples = _examples([(one, one.body) for one in sent])
    in_form = _examples([(one, _as_form(one.body)) for one in sent])
    form: Schema = {"schema": {"$ref": f"{ref}{FORM}"}, "examples": in_form}
    if "metadata" in endpoint.body.__struct_fields__:
        form["encoding"] = {"metadata": {"style": "deepObject", "explode": True}}
    return {
        "required": True,
        "description": f"Up to {most_bytes // 1024} KiB in UTF-8.",
        "content": {
            JSON_TYPE: {"schema": {"$ref": ref}, "examples": examples},
            FORM_TYPE: form,
        },
    }


def _as_form(body: dict[str, Any]) -> dict[str, Any]:
    """What a form can say of the same fields: an object is text there, but for pairs."""
    return {
        name: json.dumps(value) if isinstance(value, dict) and name != "metadata" else value
        for name, value in body.items()
    }


def _examples(shown: list[tuple[Shown, Any]]) -> Schema:
    made: Schema = {}
    for number, (one, value) in enumerate(shown, 1):
        summary = {"summary": one.summary} if one.summary else {}
        made[slug(one.summary, number)] = {**summary, "value": value}
    return made


def _responses(name: str, route: Route, endpoint: Endpoint, schema: Schema | None) -> Schema:
    limits_told = ["RateLimit", "RateLimit-Policy"] if _security(route, endpoint) else []
    made: Schema = {"200": _success(name, endpoint, schema, limits_told)}
    if endpoint.has_etag:
        made["304"] = {
            "description": "What was kept under this ETag still holds.",
            "headers": _headers(["ETag", "Cache-Control"]),
        }
    by_status: dict[int, list[str]] = {}
    for code in prose.codes():
        if code in codes_of(route, endpoint):
            by_status.setdefault(prose.codes()[code].status, []).append(code)
    for status in sorted(by_status):
        made[str(status)] = _refusal(
            name, status, by_status[status], endpoint, limits_told if status < 500 else []
        )
    return made


def _success(name: str, endpoint: Endpoint, schema: Schema | None, headers: list[str]) -> Schema:
    if name == "GET /api/docs":
        page = {"schema": {"type": "string", "description": "A page."}}
        return {"description": "The page.", "headers": _headers([]), "content": {HTML: page}}
    headers = [*headers, *(["Idempotency-Replayed"] if endpoint.takes_key else [])]
    headers += ["ETag", "Cache-Control"] if endpoint.has_etag else []
    headers += ["Link"] if endpoint.has_link else []
    shown = [(one, one.answer) for one in shown_of(name) if one.status == 200]
    content: Schema = {"schema": schema or {"type": "object", "description": "This description."}}
    if shown:
        content["examples"] = _examples(shown)
    made = {
        "description": endpoint.summary + ": done.",
        "headers": _headers(headers),
        "content": {JSON_TYPE: content},
    }
    return made | {"links": LINKS} if endpoint.places_order else made


def _refusal(
    name: str, status: int, codes: list[str], endpoint: Endpoint, headers: list[str]
) -> Schema:
    told = [prose.codes()[code] for code in codes]
    lines = [f"- `{one.code}`: {_lower(one.means)}. {one.remedy}." for one in told]
    headers = [*headers, *(["Retry-After"] if status in (409, 429, 503) else [])]
    if endpoint.takes_key and "card_declined" in codes:
        headers.append("Idempotency-Replayed")
    content: Schema = {
        "schema": {
            "allOf": [
                {"$ref": f"#/components/schemas/{PROBLEM}"},
                {"type": "object", "properties": {"code": {"type": "string", "enum": codes}}},
            ]
        }
    }
    shown = [(one, one.answer) for one in shown_of(name) if one.status == status]
    if shown:
        content["examples"] = _examples(shown)
    return {
        "description": f"{prose.statuses()[status]}.\n\n" + "\n".join(lines),
        "headers": _headers(headers),
        "content": {JSON_TYPE: content},
    }


def _lower(text: str) -> str:
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _headers(names: list[str]) -> Schema:
    all_names = ["X-Request-Id", *names]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in all_names}
