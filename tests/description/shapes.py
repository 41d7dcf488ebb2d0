"""Schemas of structs as OpenAPI 3.1 shows them, each field with its words and an example."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

REF = "#/components/schemas/{name}"
Schema = dict[str, Any]
Tell = Callable[[str], tuple[str | None, Any]]
"""What is said of the field at a path, and an example of it; None for neither."""


def schemas_of(types: Iterable[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each type, and the components that they refer to."""
    shown, components = msgspec.json.schema_components(list(types), ref_template=REF)
    return [_tidy(one) for one in shown], {name: _tidy(one) for name, one in components.items()}


def _tidy(value: Any) -> Any:
    if isinstance(value, list):
        return [_tidy(part) for part in value]
    if not isinstance(value, dict):
        return value
    made = {name: _tidy(part) for name, part in value.items() if name != "title"}
    if made.get("format") == "decimal":
        made["type"] = "number"
        del made["format"]
    if "anyOf" in made:
        made = _with_null(made)
    if "enum" in made:
        made = _of_words(made)
    return made


def _with_null(made: Schema) -> Schema:
    """`anyOf` of one thing and null, as one thing that may be null."""
    parts = [part for part in made["anyOf"] if part != {"type": "null"}]
    if len(parts) != 1 or "$ref" in parts[0]:
        return made
    rest = {name: part for name, part in made.items() if name != "anyOf"}
    one = dict(parts[0])
    one["type"] = [one["type"], "null"]
    if "enum" in one:
        one["enum"] = [*one["enum"], None]
    return one | rest


def _of_words(made: Schema) -> Schema:
    words = [word for word in made["enum"] if word is not None]
    kind = "boolean" if words == [True] else "string"
    may_be_null = None in made["enum"]
    made["type"] = [kind, "null"] if may_be_null else kind
    if len(words) == 1 and not may_be_null:
        made["const"] = words[0]
        del made["enum"]
    return made


def as_form(schema: Schema) -> Schema:
    """The fields of a JSON body as a form has them: nothing is null there, and all else is text."""
    fields = {name: _never_null(shown) for name, shown in schema["properties"].items()}
    return schema | {"properties": fields, "additionalProperties": {"type": "string"}}


def _never_null(shown: Schema) -> Schema:
    made = dict(shown)
    if "type" not in made and "enum" not in made:
        made["type"] = "string"
        made["examples"] = [json.dumps(example) for example in made["examples"]]
    if isinstance(made.get("type"), list):
        (made["type"],) = (kind for kind in made["type"] if kind != "null")
    if "enum" in made:
        made["enum"] = [word for word in made["enum"] if word is not None]
    return made


def tell_fields(components: dict[str, Schema], root: str, tell: Tell) -> None:
    """Put words and examples on the fields of a struct and of those inside it."""
    _tell(components, root, "", tell)


def _tell(components: dict[str, Schema], name: str, prefix: str, tell: Tell) -> None:
    for field, shown in components[name]["properties"].items():
        path = f"{prefix}{field}"
        inner, mark = _inner(shown)
        told, example = tell(path)
        # What stands in two places is told of by the words of the first.
        if told is not None:
            shown.setdefault("description", told)
        if inner:
            _tell(components, inner, f"{path}{mark}.", tell)
        elif example is not None and "const" not in shown:
            shown.setdefault("examples", [example])


def _inner(shown: Schema) -> tuple[str | None, str]:
    """The component that a field holds, and whether it holds a list of them."""
    held = shown.get("items", shown)
    ref = next((part["$ref"] for part in (held, *held.get("anyOf", ())) if "$ref" in part), None)
    return (ref.rpartition("/")[2] if ref else None), "[]" if "items" in shown else ""
