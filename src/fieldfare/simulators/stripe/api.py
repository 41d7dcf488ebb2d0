"""One call of the simulated API, from its key to its answer.

The order is the point: who calls, what they want, whether a fault strikes, whether the idempotency
key has an answer already, and only then the effect. Effect, kept answer and log entry are one
transaction, so a process killed at any line has done all of it or nothing.
"""

import asyncio
from typing import Any

import msgspec
import structlog

from fieldfare.simulators.stripe import faults, keys
from fieldfare.simulators.stripe.callers import (
    check_caller,
    check_rate,
    parameters_of,
    version_of,
)
from fieldfare.simulators.stripe.config import Fault
from fieldfare.simulators.stripe.errors import (
    DECLINED,
    ApiError,
    error_body,
    invalid,
)
from fieldfare.simulators.stripe.expand import expand, take_paths
from fieldfare.simulators.stripe.forms import decode_form
from fieldfare.simulators.stripe.messages import Cut, Reply, Request
from fieldfare.simulators.stripe.pages import read_list_params
from fieldfare.simulators.stripe.routes import Handler, find_route
from fieldfare.simulators.stripe.shapes import new_id
from fieldfare.simulators.stripe.store import attempt, log_request, transaction
from fieldfare.simulators.stripe.world import Call, World, now

_SECRETS = frozenset({"number", "cvc"})
_log = structlog.get_logger("fieldfare.simulators.stripe")


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended."""

    status: int
    body: bytes
    effect: bool = False
    fault: Fault | None = None
    original: str | None = None
    """The request whose kept answer this is."""
    cut: Cut = ""


async def answer(world: World, request: Request) -> Reply:
    """Carry out one request of the API."""
    call = Call(
        world=world,
        now=now(world),
        request_id=new_id("req_", 14),
        method=request.method,
        path=request.path,
        base_url=request.base_url(),
    )
    call.key = request.headers.get("idempotency-key") if request.method == "POST" else None
    try:
        done = await _serve(call, request)
    except ApiError as error:  # before anything had begun
        done = _done(error)
        with transaction(call.db):
            _write_log(call, done, call.params)
    world.wake.set()
    _log.debug(
        "stripe_request",
        method=call.method,
        path=call.path,
        status=done.status,
        request_id=call.request_id,
        effect=done.effect,
        fault=done.fault.kind if done.fault else None,
    )
    return _reply(call, done)


async def _serve(call: Call, request: Request) -> Done:
    call.version = version_of(request)
    check_caller(call.world.secret_key, request.headers.get("authorization", ""))
    if "stripe-account" in request.headers:
        raise invalid("The simulator does not act on behalf of connected accounts.")
    handler, call.ids = find_route(call.method, call.path)
    call.params = decode_form(parameters_of(request))
    fault = faults.strike(call)
    if fault and fault.when == "before" and fault.kind not in {"hang", "500"}:
        return _log_done(call, _at_the_edge(call, fault))
    check_rate(call.world)
    if call.key is None:
        return await _run(call, handler, fault, None)
    keys.check_length(call.key)
    print_ = keys.fingerprint(call.params)
    kept = keys.take_up(call, call.key, print_)
    call.world.running_keys[call.key] = (call.path, print_)
    try:
        return await _run(call, handler, fault, kept)
    finally:
        del call.world.running_keys[call.key]


async def _run(call: Call, handler: Handler, fault: Fault | None, kept: keys.Kept | None) -> Done:
    if call.world.config.latency_s:
        await asyncio.sleep(call.world.config.latency_s)
    if fault and fault.kind == "hang" and fault.when == "before":
        await asyncio.sleep(fault.s)
    call.now = now(call.world)
    if kept is None:
        done = _execute(call, handler, fault)
    else:
        replay = Done(status=kept.status, body=kept.body, original=kept.request_id)
        done = _log_done(call, _seen_through(call, replay, fault))
    call.world.wake.set()
    if fault and fault.kind == "hang" and fault.when == "after":
        await asyncio.sleep(fault.s)
    return done


def _execute(call: Call, handler: Handler, fault: Fault | None) -> Done:
    """Take effect, keep the answer and log it, in one transaction; gives what the caller sees."""
    params = dict(call.params)
    with transaction(call.db):
        done, keeps = _take_effect(call, handler, fault)
        if fault and fault.kind == "500":
            done, keeps = (
                msgspec.structs.replace(_done(faults.internal_error()), effect=done.effect),
                True,
            )
        if call.key is not None and keeps:
            keys.keep(call, call.key, keys.fingerprint(params), done.status, done.body)
        done = _seen_through(call, done, fault)
        _write_log(call, done, params)
    return done


def _take_effect(call: Call, handler: Handler, fault: Fault | None) -> tuple[Done, bool]:
    """The true outcome, and whether a key keeps it."""
    if fault and fault.kind == "500" and fault.when == "before":
        return _done(faults.internal_error()), True
    before = call.db.total_changes
    try:
        paths = take_paths(call)
        read_list_params(call)
        with attempt(call.db):
            thing = expand(call, handler(call), paths)
    except ApiError as error:
        effect = error.status == DECLINED and call.db.total_changes > before
        return msgspec.structs.replace(_done(error), effect=effect), error.kept
    body = msgspec.json.format(msgspec.json.encode(thing), indent=2)
    return Done(status=200, body=body, effect=call.db.total_changes > before), True


def _seen_through(call: Call, done: Done, fault: Fault | None) -> Done:
    """What the caller gets to see of `done` with a fault in between."""
    if fault is None:
        return done
    if fault.kind == "500":
        seen = _done(faults.internal_error())
    elif fault.kind in {"reset", "half", "hang"}:
        seen = done
    else:
        seen = _done(faults.edge_error(fault.kind, call.key))
    cut: Cut = fault.kind if fault.kind in {"reset", "half"} else ""
    return msgspec.structs.replace(seen, effect=done.effect, fault=fault, cut=cut)


def _at_the_edge(call: Call, fault: Fault) -> Done:
    """A fault that strikes before the call gets anywhere."""
    if fault.kind in {"reset", "half"}:
        return _seen_through(call, _done(faults.internal_error()), fault)
    return _seen_through(call, Done(status=0, body=b""), fault)


def _done(error: ApiError) -> Done:
    body = msgspec.json.format(msgspec.json.encode(error_body(error.error)), indent=2)
    return Done(status=error.status, body=body)


def _log_done(call: Call, done: Done) -> Done:
    with transaction(call.db):
        _write_log(call, done, call.params)
    return done


def _write_log(call: Call, done: Done, params: dict[str, Any]) -> None:
    log_request(
        call.db,
        {
            "id": call.request_id,
            "at": call.now,
            "method": call.method,
            "path": call.path,
            "idempotency_key": call.key,
            "params": _without_secrets(params),
            "status": None if done.cut == "reset" else done.status,
            "took_effect": done.effect,
            "replayed": done.original is not None,
            "fault": done.fault.kind if done.fault else None,
        },
    )


def _without_secrets(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_secrets(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: "****" if name in _SECRETS else _without_secrets(below)
        for name, below in value.items()
    }


def _reply(call: Call, done: Done) -> Reply:
    headers = {
        "Request-Id": call.request_id or "",
        "Stripe-Version": call.version,
    }
    if call.key is not None and len(call.key) <= 255:
        headers["Idempotency-Key"] = call.key
    if done.original is not None:
        headers |= {"Idempotent-Replayed": "true", "Original-Request": done.original}
    if done.status == 429:
        headers["Retry-After"] = str(done.fault.retry_after_s if done.fault else 1)
    if done.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="Stripe"'
    return Reply(status=done.status, body=done.body, headers=headers, cut=done.cut)
