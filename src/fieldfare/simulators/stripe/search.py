"""Search: Stripe's query language over what the index knew a while ago.

The index lags by a set time, so a search that finds nothing proves nothing; `list` is exact. Terms
are `field:"text"`, `field:12`, `field>12`, `field~"part"`, `metadata["key"]:"value"` and
`field:null`, each maybe with `-` before it, joined by AND or by OR but not by both.
"""

import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from fieldfare.simulators.stripe.errors import ApiError, invalid
from fieldfare.simulators.stripe.params import Params, Text, read
from fieldfare.simulators.stripe.shapes import Thing
from fieldfare.simulators.stripe.store import list_as_of
from fieldfare.simulators.stripe.world import Call

_TERM = re.compile(
    r"""\s*(?P<not>-?)(?P<field>[a-z_.0-9]+)(?:\[(?P<q>["'])(?P<key>.*?)(?P=q)\])?"""
    r"""(?P<op>:|~|<=|>=|<|>)"""
    r"""(?:"(?P<text>(?:[^"\\]|\\.)*)"|'(?P<text1>(?:[^'\\]|\\.)*)'|(?P<bare>[^\s"']+))\s*"""
)
_JOIN = re.compile(r"(AND|OR)\b", re.IGNORECASE)
_FIELDS = {
    "customer": {"created", "email", "metadata", "name", "phone"},
    "payment_intent": {"amount", "created", "currency", "customer", "metadata", "status"},
    "charge": {
        "amount", "created", "currency", "customer", "disputed", "metadata", "refunded", "status",
        "payment_method_details.card.last4", "payment_method_details.card.brand",
    },
}  # fmt: skip


class SearchParams(Params, frozen=True, kw_only=True):
    """A query, and which page of its results."""

    query: str
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    page: Text = UNSET


class Term(msgspec.Struct, frozen=True):
    """One condition."""

    negated: bool
    field: str
    key: str | None
    operator: str
    value: str | None


def search(call: Call, kind: str) -> Thing:
    """One page of what matched when the index was last brought up to date."""
    params = read(call, SearchParams)
    terms, every = parse_query(params.query, kind)
    needed = all if every else any
    as_of = call.now - call.world.config.search_lag_s
    found = [
        thing
        for thing in list_as_of(call.db, kind, as_of)
        if needed(_holds(term, thing) for term in terms)
    ]
    start = _offset(params.page)
    after = start + params.limit
    has_more = len(found) > after
    return {
        "object": "search_result",
        "data": found[start:after],
        "has_more": has_more,
        "next_page": str(after) if has_more else None,
        "url": call.path,
    }


def _offset(given: Text) -> int:
    if not isinstance(given, str):
        return 0
    if not (given.isascii() and given.isdigit()):
        raise invalid("Invalid page token.", param="page")
    return int(given)


def parse_query(query: str, kind: str) -> tuple[list[Term], bool]:
    """The terms, and whether all of them must hold; raises `ApiError` (400)."""
    terms, joins, at = [], set[str](), 0
    while True:
        found = _TERM.match(query, at)
        if found is None:
            raise _unreadable(query)
        terms.append(_term(found, kind))
        at = found.end()
        if at == len(query):
            break
        # Blanks alone mean AND.
        join = _JOIN.match(query, at)
        joins.add(join[1].upper() if join else "AND")
        at = join.end() if join else at
    if len(joins) > 1:
        raise invalid("You can't combine AND and OR in one query.", param="query")
    return terms, "OR" not in joins


def _unreadable(query: str) -> ApiError:
    return invalid(
        f"We were unable to parse your search query: {query[:200]}. Try using the format "
        '`metadata["key"]:"value"` to query for metadata or key:"value" to query for other fields.',
        param="query",
    )


def _term(found: re.Match[str], kind: str) -> Term:
    if found["field"] not in _FIELDS[kind]:
        raise invalid(
            f"Field `{found['field']}` is an unsupported search field for resource `{kind}s`.",
            param="query",
        )
    quoted = found["text"] if found["text"] is not None else found["text1"]
    value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found["bare"]
    null = quoted is None and value.lower() == "null"
    return Term(
        bool(found["not"]), found["field"], found["key"], found["op"], None if null else value
    )


def _holds(term: Term, thing: Thing) -> bool:
    value: Any = thing
    for step in term.field.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if term.key is not None:
        value = (value or {}).get(term.key)
    elif term.field == "metadata":  # `metadata:"key"`: whether there is such a key
        return ((term.value or "") in value) != term.negated
    return _compare(term, value) != term.negated


def _compare(term: Term, value: Any) -> bool:
    if term.value is None or value is None:
        return term.value is None and value is None
    if term.operator == ":":
        return _written(value) == term.value.lower()
    if term.operator == "~":
        return term.value.lower() in _written(value)
    try:
        bound, number = int(term.value), int(value)
    except ValueError as error:
        raise invalid(f"`{term.field}` needs a whole number.", param="query") from error
    return {
        "<": number < bound, ">": number > bound, "<=": number <= bound, ">=": number >= bound,
    }[term.operator]  # fmt: skip


def _written(value: Any) -> str:
    return str(value).lower()


def search_customers(call: Call) -> Thing:
    """GET /v1/customers/search."""
    return search(call, "customer")


def search_intents(call: Call) -> Thing:
    """GET /v1/payment_intents/search."""
    return search(call, "payment_intent")


def search_charges(call: Call) -> Thing:
    """GET /v1/charges/search."""
    return search(call, "charge")
