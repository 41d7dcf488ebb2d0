"""`expand[]`: ids in an answer replaced by the objects they name, up to four levels deep."""

from typing import Any

from fieldfare.simulators.stripe.charges import with_refunds
from fieldfare.simulators.stripe.errors import ApiError, invalid
from fieldfare.simulators.stripe.shapes import Thing, kind_of
from fieldfare.simulators.stripe.store import find
from fieldfare.simulators.stripe.world import Call

MAX_LEVELS = 4


def take_paths(call: Call) -> list[list[str]]:
    """The paths that the call wants expanded, taken from its parameters."""
    given = call.params.pop("expand", [])
    if not (isinstance(given, list) and all(isinstance(path, str) for path in given)):
        raise invalid("Invalid array", param="expand")
    paths = [path.split(".") for path in given]
    for path in paths:
        if len(path) - (path[0] == "data") > MAX_LEVELS:
            raise invalid(
                f"You cannot expand more than {MAX_LEVELS} levels of a property. Property: "
                f"{'.'.join(path)}",
                param="expand",
            )
    return paths


def expand(call: Call, thing: Thing, paths: list[list[str]]) -> Thing:
    """The answer with those paths expanded; raises `ApiError` (400) for one that leads nowhere."""
    for path in paths:
        _walk(call, thing, path, ".".join(path))
    return thing


def _walk(call: Call, thing: Any, path: list[str], whole: str) -> None:
    if isinstance(thing, list):
        for one in thing:
            _walk(call, one, path, whole)
        return
    name, *rest = path
    if not isinstance(thing, dict) or name not in thing:
        raise _cannot(whole)
    if name == "refunds" and thing.get("object") == "charge":
        thing.update(with_refunds(call, thing))
    value = thing[name]
    if isinstance(value, str):
        kind = kind_of(value)
        found = find(call.db, kind, value) if kind else None
        if found is None:
            raise _cannot(whole)
        thing[name] = value = found
    if rest and value is not None:
        _walk(call, value, rest, whole)


def _cannot(path: str) -> ApiError:
    return invalid(f"This property cannot be expanded ({path}).", param="expand")
