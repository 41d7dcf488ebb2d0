"""Events: what happened, recorded in the transaction in which it happened.

An event carries the object as it was at that moment. Its deliveries are recorded beside it, so a
killed simulator sends what it had not yet sent; `deliveries` does the sending.
"""

import copy
import random
from fnmatch import fnmatchcase

from msgspec import UNSET

from fieldfare.simulators.stripe.pages import ListParams, page
from fieldfare.simulators.stripe.params import Text, Texts, read
from fieldfare.simulators.stripe.shapes import API_VERSION, Thing, new
from fieldfare.simulators.stripe.store import get, list_all, put
from fieldfare.simulators.stripe.world import Call


class ListEvents(ListParams, frozen=True, kw_only=True):
    """Filters of the list of events."""

    type: Text = UNSET
    types: Texts = UNSET
    delivery_success: bool = False


def emit(call: Call, kind: str, thing: Thing, previous: Thing | None = None) -> None:
    """Record an event of `kind` about `thing`, and its deliveries."""
    data = {"object": copy.deepcopy(thing)}
    if previous:
        data["previous_attributes"] = previous
    targets = [one["id"] for one in list_all(call.db, "webhook_endpoint") if _wants(one, kind)]
    event = new(
        "event",
        call.now_s,
        type=kind,
        api_version=API_VERSION,
        data=data,
        request={"id": call.request_id, "idempotency_key": call.key},
        pending_webhooks=len(targets),
    )
    put(call.db, event, call.now)
    for endpoint in targets:
        _schedule(call, event, endpoint)


def _wants(endpoint: Thing, kind: str) -> bool:
    wanted = endpoint["enabled_events"]
    return endpoint["status"] == "enabled" and ("*" in wanted or kind in wanted)


def _schedule(call: Call, event: Thing, endpoint: str) -> None:
    options = call.world.config.events
    concerned = any(fnmatchcase(event["type"], pattern) for pattern in options.types)
    if concerned and options.drop:
        return
    for _ in range(1 + (options.duplicate if concerned else 0)):
        delay_s = options.delay_s + random.uniform(0, options.shuffle_s) if concerned else 0  # noqa: S311 - shuffles events
        call.db.execute(
            "insert into delivery (event, endpoint, due_at_s) values (?, ?, ?)",
            (event["id"], endpoint, call.now + delay_s),
        )


def retrieve_event(call: Call) -> Thing:
    """GET /v1/events/{id}."""
    return get(call.db, "event", call.ids[0])


def list_events(call: Call) -> Thing:
    """GET /v1/events."""
    params = read(call, ListEvents)
    patterns = params.types if isinstance(params.types, list) else [params.type]
    wanted = [pattern for pattern in patterns if isinstance(pattern, str)]
    if not wanted:
        return page(call, "event", params)
    condition = " or ".join(["body ->> '$.type' glob ?"] * len(wanted))
    return page(call, "event", params, also=(f"({condition})", wanted))
