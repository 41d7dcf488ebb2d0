"""The control of events: how they are sent, sending what waits now, sending one again."""

import random
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from fieldfare.simulators.stripe.config import EventOptions, Seconds
from fieldfare.simulators.stripe.deliveries import deliver, open_client, post_event, take_all
from fieldfare.simulators.stripe.shapes import Thing
from fieldfare.simulators.stripe.store import get, list_all
from fieldfare.simulators.stripe.world import Call, set_config


class _Options(msgspec.Struct, forbid_unknown_fields=True):
    """Those that were sent are changed."""

    delay_s: Seconds | UnsetType = UNSET
    shuffle_s: Seconds | UnsetType = UNSET
    duplicate: Annotated[int, msgspec.Meta(ge=0, le=20)] | UnsetType = UNSET
    drop: bool | UnsetType = UNSET
    paused: bool | UnsetType = UNSET
    types: tuple[str, ...] | UnsetType = UNSET
    retry_delays_s: tuple[Seconds, ...] | UnsetType = UNSET
    signature_age_s: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)] | UnsetType = UNSET


class _Flush(msgspec.Struct, forbid_unknown_fields=True):
    order: Literal["in_order", "reversed", "shuffled"] = "in_order"


class _Resend(msgspec.Struct, forbid_unknown_fields=True):
    times: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    signature_age_s: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)] = 0.0


def show_events(call: Call, _: bytes) -> Thing:
    """Every event, oldest first, and the options."""
    return {"data": list_all(call.db, "event"), "options": call.world.config.events}


def set_event_options(call: Call, body: bytes) -> EventOptions:
    """Change the options that were sent."""
    given = msgspec.json.decode(body, type=_Options)
    sent = {
        name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET
    }
    options = msgspec.structs.replace(call.world.config.events, **sent)
    set_config(call.world, msgspec.structs.replace(call.world.config, events=options))
    return options


def delete_event_options(call: Call, _: bytes) -> EventOptions:
    """Events are sent at once and once again."""
    set_config(call.world, msgspec.structs.replace(call.world.config, events=EventOptions()))
    return call.world.config.events


def list_deliveries(call: Call, _: bytes) -> Thing:
    """Every delivery with how it went, oldest first."""
    names = ("seq", "event", "endpoint", "due_at_s", "attempt", "state", "status")
    rows = call.db.execute(
        "select seq, event, endpoint, due_at_s, attempt, state, status from delivery order by seq"
    )
    return {"data": [dict(zip(names, row, strict=True)) for row in rows]}


async def flush_events(call: Call, body: bytes) -> Thing:
    """Send everything that waits, one after the other, and tell how each was answered."""
    wish = msgspec.json.decode(body or b"{}", type=_Flush)
    waiting = take_all(call.world)
    if wish.order == "reversed":
        waiting.reverse()
    elif wish.order == "shuffled":
        random.shuffle(waiting)
    async with open_client() as client:
        return {"data": [await deliver(call.world, client, one) for one in waiting]}


async def resend_event(call: Call, body: bytes) -> Thing:
    """Send one event to every enabled endpoint again, at once; it leaves no delivery behind."""
    wish = msgspec.json.decode(body or b"{}", type=_Resend)
    event = get(call.db, "event", call.ids[0])
    endpoints = [one for one in list_all(call.db, "webhook_endpoint") if one["status"] == "enabled"]
    results: list[dict[str, Any]] = []
    async with open_client() as client:
        for endpoint in endpoints * wish.times:
            status = await post_event(call.world, client, event, endpoint, wish.signature_age_s)
            results.append({"event": event["id"], "endpoint": endpoint["id"], "status": status})
    return {"data": results}
