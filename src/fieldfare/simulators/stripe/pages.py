"""Lists: exact, newest first, paged by id.

A cursor is an object's place in the order of creation, so a page neither skips nor repeats anything
while new objects arrive.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from fieldfare.simulators.stripe.errors import invalid
from fieldfare.simulators.stripe.params import Params, Text
from fieldfare.simulators.stripe.shapes import Thing
from fieldfare.simulators.stripe.world import Call

_INDEXED = frozenset({"customer", "payment_intent", "charge"})


class Created(Params, frozen=True, kw_only=True):
    """Bounds of `created`, in Unix seconds."""

    gt: int | UnsetType = UNSET
    gte: int | UnsetType = UNSET
    lt: int | UnsetType = UNSET
    lte: int | UnsetType = UNSET


class ListParams(Params, frozen=True, kw_only=True):
    """What every list takes."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    starting_after: Text = UNSET
    ending_before: Text = UNSET
    created: Created | UnsetType = UNSET
    """A moment is `gte` and `lte` at once; `page` sees to that."""


def read_list_params(call: Call) -> None:
    """Write `created=123` as bounds, so that one type fits both forms."""
    created = call.params.get("created")
    if isinstance(created, str):
        call.params["created"] = {"gte": created, "lte": created}


def page(
    call: Call,
    kind: str,
    params: ListParams,
    *,
    also: tuple[str, list[str]] = ("true", []),
    **fields: Any,
) -> Thing:
    """One page of the objects of `kind` whose `fields` have the values given; UNSET is any.

    `also` is one more condition, with its values.
    """
    where, values = _conditions(kind, params, fields)
    where += f" and {also[0]}"
    values += also[1]
    backwards = params.ending_before is not UNSET
    cursor = _cursor(call, kind, params)
    if cursor is not None:
        where += " and seq > ?" if backwards else " and seq < ?"
        values.append(cursor)
    rows = call.db.execute(
        f"select body from object where {where} "  # noqa: S608 - values are bound, names are columns
        f"order by seq {'asc' if backwards else 'desc'} limit ?",
        (*values, params.limit + 1),
    ).fetchall()
    has_more = len(rows) > params.limit
    data = [msgspec.json.decode(body) for (body,) in rows[: params.limit]]
    if backwards:
        data.reverse()
    return {"object": "list", "data": data, "has_more": has_more, "url": call.path}


def _conditions(kind: str, params: ListParams, fields: dict[str, Any]) -> tuple[str, list[Any]]:
    where, values = ["kind = ?"], [kind]
    for name, value in fields.items():
        if value is not UNSET:
            column = name if name in _INDEXED else f"body ->> '$.{name}'"
            where.append(f"{column} = ?")
            values.append(value)
    if isinstance(params.created, Created):
        for name, operator in (("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")):
            bound = getattr(params.created, name)
            if bound is not UNSET:
                where.append(f"created {operator} ?")
                values.append(bound)
    return " and ".join(where), values


def _cursor(call: Call, kind: str, params: ListParams) -> int | None:
    sent = {
        name: value
        for name in ("starting_after", "ending_before")
        if (value := getattr(params, name)) is not UNSET
    }
    if not sent:
        return None
    if len(sent) > 1:
        raise invalid("You may only provide one of starting_after and ending_before.")
    ((name, identifier),) = sent.items()
    row = call.db.execute(
        "select seq from object where kind = ? and id = ?", (kind, identifier)
    ).fetchone()
    if row is None:
        raise invalid(f"No such {kind}: '{identifier}'", param=name, code="resource_missing")
    return int(row[0])
