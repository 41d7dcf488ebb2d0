"""Sending events: signed, tried again when refused, in whatever order was asked for.

What must hold: an event that was not answered with 2xx is tried again after each of the configured
delays, on the simulator's clock, and then given up; what was being sent when the process died is
sent again. So an endpoint gets each event at least once, as with Stripe.
"""

import asyncio
import hashlib
import hmac
import ssl
import time
from functools import cache
from typing import Any

import httpx
import msgspec
import structlog

from fieldfare.simulators.stripe.endpoints import get_secret
from fieldfare.simulators.stripe.shapes import Thing
from fieldfare.simulators.stripe.store import find, put, transaction
from fieldfare.simulators.stripe.world import Call, World, now

SEND_TIMEOUT_S = 10.0
AT_ONCE = 8
_log = structlog.get_logger("fieldfare.simulators.stripe")


def open_client() -> httpx.AsyncClient:
    """A client that goes straight to the endpoint and follows nothing."""
    return httpx.AsyncClient(
        timeout=SEND_TIMEOUT_S, trust_env=False, follow_redirects=False, verify=_trusted()
    )


@cache
def _trusted() -> ssl.SSLContext:
    # Reading the list of whom to trust takes 40 ms, longer than all else of a delivery.
    return httpx.create_ssl_context(trust_env=False)


def signature(secret: str, body: bytes, at_s: int) -> str:
    """The `Stripe-Signature` header of a body: HMAC-SHA256 over `t.body`."""
    digest = hmac.new(secret.encode(), b"%d.%b" % (at_s, body), hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


async def post_event(
    world: World, client: httpx.AsyncClient, event: Thing, endpoint: Thing, age_s: float
) -> int | None:
    """Send an event once; gives the status, or None if no answer came."""
    body = msgspec.json.format(msgspec.json.encode(event), indent=2)
    call = Call(world=world, now=now(world))
    # The machine's own clock signs: the receiver does not know that ours was moved.
    signed = signature(get_secret(call, endpoint), body, int(time.time() - age_s))
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signed,
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    try:
        answer = await client.post(endpoint["url"], content=body, headers=headers)
        return answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError):
        return None


def take_due(world: World, most: int) -> list[tuple[int, str, str, int]]:
    """Up to `most` deliveries that are due, marked as being sent: seq, event, endpoint, attempt."""
    if world.config.events.paused or most < 1:
        return []
    rows = world.db.execute(
        """
        select seq, event, endpoint, attempt from delivery
        where state = 'waiting' and due_at_s <= ? order by due_at_s, seq limit ?
        """,
        (now(world), most),
    ).fetchall()
    if rows:
        with transaction(world.db):
            _mark(world, [row[0] for row in rows])
    return rows


def take_all(world: World) -> list[tuple[int, str, str, int]]:
    """Every delivery that waits, due or not, marked as being sent; oldest first."""
    rows = world.db.execute(
        "select seq, event, endpoint, attempt from delivery where state = 'waiting' order by seq"
    ).fetchall()
    with transaction(world.db):
        _mark(world, [row[0] for row in rows])
    return rows


def _mark(world: World, numbers: list[int]) -> None:
    world.db.executemany(
        "update delivery set state = 'sending' where seq = ?", [(number,) for number in numbers]
    )


async def deliver(
    world: World, client: httpx.AsyncClient, delivery: tuple[int, str, str, int]
) -> dict[str, Any]:
    """Send one delivery and record how it went; gives event, type and status."""
    number, event_id, endpoint_id, attempt = delivery
    event = find(world.db, "event", event_id)
    endpoint = find(world.db, "webhook_endpoint", endpoint_id)
    if event is None or endpoint is None or endpoint["status"] != "enabled":
        with transaction(world.db):
            _record(world, number, attempt, "dropped", None)
        return {"event": event_id, "type": None, "status": None}
    age_s = world.config.events.signature_age_s
    status = await post_event(world, client, event, endpoint, age_s)
    with transaction(world.db):
        _settle(world, number, event_id, attempt + 1, status)
    _log.debug("event_sent", event_id=event_id, event_type=event["type"], status=status)
    return {"event": event_id, "type": event["type"], "status": status}


def _settle(world: World, number: int, event_id: str, attempt: int, status: int | None) -> None:
    if status is not None and 200 <= status < 300:
        _record(world, number, attempt, "sent", status)
        event = find(world.db, "event", event_id)
        if event is not None:
            event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)
            put(world.db, event, now(world))
        return
    delays = world.config.events.retry_delays_s
    if attempt > len(delays):
        _record(world, number, attempt, "failed", status)
        return
    world.db.execute(
        "update delivery set state = 'waiting', attempt = ?, status = ?, due_at_s = ? "
        "where seq = ?",
        (attempt, status, now(world) + delays[attempt - 1], number),
    )


def _record(world: World, number: int, attempt: int, state: str, status: int | None) -> None:
    world.db.execute(
        "update delivery set state = ?, attempt = ?, status = ? where seq = ?",
        (state, attempt, status, number),
    )


async def send_due(
    world: World, client: httpx.AsyncClient, sending: set[asyncio.Task[Any]]
) -> None:
    """Start what is due, as far as there is room; each wakes the world when it is done."""
    for delivery in take_due(world, AT_ONCE - len(sending)):
        task = asyncio.create_task(deliver(world, client, delivery))
        sending.add(task)
        task.add_done_callback(sending.discard)
        task.add_done_callback(lambda _: world.wake.set())


def next_due(world: World) -> float | None:
    """When the next delivery falls due on the simulator's clock, or None."""
    if world.config.events.paused:
        return None
    row = world.db.execute("select min(due_at_s) from delivery where state = 'waiting'").fetchone()
    return None if row[0] is None else float(row[0])
