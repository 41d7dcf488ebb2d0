"""`/_control/`: the test's hand on the simulator, and the truth about what it did.

JSON in and out, from this machine only, without a key. Nothing here goes into the log of requests.
docs/operating/stripe-simulator.md lists it.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from fieldfare.simulators.stripe import attempts, disputes, setup_intents
from fieldfare.simulators.stripe.amounts import known_currency
from fieldfare.simulators.stripe.balances import record
from fieldfare.simulators.stripe.config import Config, Count, Fault, Seconds
from fieldfare.simulators.stripe.control_events import (
    delete_event_options,
    flush_events,
    list_deliveries,
    resend_event,
    set_event_options,
    show_events,
)
from fieldfare.simulators.stripe.endpoints import ensure_endpoints
from fieldfare.simulators.stripe.errors import ApiError, error_body
from fieldfare.simulators.stripe.messages import Reply, Request, json_reply
from fieldfare.simulators.stripe.shapes import Thing, new_id
from fieldfare.simulators.stripe.store import (
    attempt,
    clear,
    get,
    list_all,
    list_requests,
    transaction,
)
from fieldfare.simulators.stripe.world import Call, World, now, set_config

T = TypeVar("T")
Control: TypeAlias = Callable[[Call, bytes], Any]
PREFIX = "/_control/"
TRUTHS = {
    "accounts": "account",
    "balance_transactions": "balance_transaction",
    "charges": "charge",
    "customers": "customer",
    "disputes": "dispute",
    "payment_intents": "payment_intent",
    "payment_methods": "payment_method",
    "refunds": "refund",
    "setup_intents": "setup_intent",
    "transfers": "transfer",
    "webhook_endpoints": "webhook_endpoint",
}
_FUNDS = {"topup": "tu_1", "payout": "po_1", "stripe_fee": "fee_1", "reserve_transaction": "rsv_1"}
_LOOPBACK = ("127.", "::1", "::ffff:127.")


class _Clock(msgspec.Struct, forbid_unknown_fields=True):
    advance_s: Annotated[float, msgspec.Meta(ge=-1e10, le=1e10)] = 0.0
    now_s: float | UnsetType = UNSET


class _Lag(msgspec.Struct, forbid_unknown_fields=True):
    s: Seconds


class _Rate(msgspec.Struct, forbid_unknown_fields=True):
    per_s: Count


class _Settings(msgspec.Struct, forbid_unknown_fields=True):
    search_lag_s: Seconds | UnsetType = UNSET
    latency_s: Seconds | UnsetType = UNSET
    rate_per_s: Count | UnsetType = UNSET
    settle_delay_s: Seconds | UnsetType = UNSET
    dispute_delay_s: Seconds | UnsetType = UNSET
    funds_delay_s: Seconds | UnsetType = UNSET
    usd_per_unit: (
        dict[str, Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?$")]]
        | UnsetType
    ) = UNSET


class _Dispute(msgspec.Struct, forbid_unknown_fields=True):
    charge: str
    outcome: Literal["open", "won", "lost"] = "open"
    reason: str = "fraudulent"
    inquiry: bool = False
    amount: int | None = None
    """A part of the charge, where the bank disputes no more than that."""


class _Outcome(msgspec.Struct, forbid_unknown_fields=True):
    outcome: Literal["succeeded", "failed"] = "succeeded"


class _Funds(msgspec.Struct, forbid_unknown_fields=True):
    amount: int
    currency: str
    type: Literal["topup", "payout", "stripe_fee", "reserve_transaction"] = "topup"
    """What moves without any call: from and to the bank, what the processor charges or holds."""


async def serve_control(world: World, request: Request) -> Reply:
    """Answer one control call."""
    if not request.peer.startswith(_LOOPBACK):
        return json_reply(403, {"error": {"message": "Control is for this machine only."}})
    call = Call(world=world, now=now(world), base_url=request.base_url())
    name, *rest = request.path.removeprefix(PREFIX).strip("/").split("/")
    call.ids = tuple(rest)
    try:
        return json_reply(200, await _dispatch(call, request, name))
    except ApiError as error:
        return json_reply(error.status, error_body(error.error))
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        return json_reply(400, {"error": {"message": str(error)}})
    finally:
        world.wake.set()


async def _dispatch(call: Call, request: Request, name: str) -> Any:
    waiting = _WAITING.get((request.method, name, *call.ids[1:])) or _WAITING.get(
        (request.method, name, *call.ids)
    )
    if waiting is not None:
        return await waiting(call, request.body)
    control = _find(request.method, name, call.ids)
    if control is None:
        raise ApiError(404, {"message": f"There is no control {request.method} {request.path}."})
    with transaction(call.db), attempt(call.db):
        return control(call, request.body)


def _find(method: str, name: str, ids: tuple[str, ...]) -> Control | None:
    if not ids:
        if method == "GET" and name in TRUTHS:
            kind = TRUTHS[name]
            return lambda call, _: {"data": list_all(call.db, kind)}
        return _CONTROLS.get((method, name))
    if ids[1:] == ("authenticate",) and method == "POST":
        return _AUTHENTICATE.get(name)
    return None


def _health(call: Call, _: bytes) -> Thing:
    return {"ok": True, "now_s": call.now}


def _show_config(call: Call, _: bytes) -> Config:
    return call.world.config


def _set(call: Call, **changes: Any) -> Config:
    config = msgspec.structs.replace(call.world.config, **changes)
    set_config(call.world, config)
    return config


def _set_settings(call: Call, body: bytes) -> Config:
    given = msgspec.json.decode(body, type=_Settings)
    sent = {
        name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET
    }
    for code in sent.get("usd_per_unit", {}):
        known_currency(code)
    return _set(call, **sent)


def _set_search_lag(call: Call, body: bytes) -> Config:
    return _set(call, search_lag_s=msgspec.json.decode(body, type=_Lag).s)


def _set_latency(call: Call, body: bytes) -> Config:
    return _set(call, latency_s=msgspec.json.decode(body, type=_Lag).s)


def _set_rate_limit(call: Call, body: bytes) -> Config:
    return _set(call, rate_per_s=msgspec.json.decode(body, type=_Rate).per_s)


def _show_clock(call: Call, _: bytes) -> Thing:
    return {"now_s": now(call.world), "offset_s": call.world.config.clock_offset_s}


def _set_clock(call: Call, body: bytes) -> Thing:
    given = msgspec.json.decode(body, type=_Clock)
    before = call.world.config.clock_offset_s
    if isinstance(given.now_s, float):
        before += given.now_s - call.now
    _set(call, clock_offset_s=before + given.advance_s)
    return _show_clock(call, b"")


def _show_faults(call: Call, _: bytes) -> Thing:
    return {"data": call.world.config.faults}


def _add_fault(call: Call, body: bytes) -> Fault:
    fault = msgspec.json.decode(body, type=Fault)
    fault = msgspec.structs.replace(fault, id=new_id("fault_", 8), seen=0)
    _set(call, faults=(*call.world.config.faults, fault))
    return fault


def _clear_faults(call: Call, _: bytes) -> Thing:
    _set(call, faults=())
    return {"data": []}


def _dispute(call: Call, body: bytes) -> Thing:
    wish = msgspec.json.decode(body, type=_Dispute)
    get(call.db, "charge", wish.charge, param="charge")
    dispute = disputes.find_dispute(call, wish.charge)
    if dispute is None or wish.outcome == "open":
        dispute = disputes.open_dispute(
            call, wish.charge, reason=wish.reason, inquiry=wish.inquiry, part=wish.amount
        )
    if wish.outcome == "open":
        return dispute
    return disputes.close_dispute(call, dispute, wish.outcome)


def _authenticate_payment(call: Call, body: bytes) -> Thing:
    wish = msgspec.json.decode(body or b"{}", type=_Outcome)
    return attempts.authenticate(call, call.ids[0], succeeds=wish.outcome == "succeeded")


def _authenticate_setup(call: Call, body: bytes) -> Thing:
    wish = msgspec.json.decode(body or b"{}", type=_Outcome)
    return setup_intents.authenticate(call, call.ids[0], succeeds=wish.outcome == "succeeded")


def _add_funds(call: Call, body: bytes) -> Thing:
    wish = msgspec.json.decode(body, type=_Funds)
    code = known_currency(wish.currency).code.lower()
    source = {"id": new_id(_FUNDS[wish.type]), "currency": code}
    return record(call, wish.type, source, wish.amount, description="Moved by control")


def _list_requests(call: Call, _: bytes) -> Thing:
    return {"data": list_requests(call.db)}


def _reset(call: Call, _: bytes) -> Thing:
    clear(call.db)
    set_config(call.world, Config())
    call.world.recent_calls.clear()
    ensure_endpoints(call)
    return {"ok": True}


_CONTROLS: dict[tuple[str, str], Control] = {
    ("GET", "health"): _health,
    ("GET", "settings"): _show_config,
    ("POST", "settings"): _set_settings,
    ("POST", "search_lag"): _set_search_lag,
    ("POST", "latency"): _set_latency,
    ("POST", "rate_limit"): _set_rate_limit,
    ("GET", "clock"): _show_clock,
    ("POST", "clock"): _set_clock,
    ("GET", "faults"): _show_faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "events"): show_events,
    ("POST", "events"): set_event_options,
    ("DELETE", "events"): delete_event_options,
    ("GET", "deliveries"): list_deliveries,
    ("GET", "requests"): _list_requests,
    ("POST", "dispute"): _dispute,
    ("POST", "balance"): _add_funds,
    ("POST", "reset"): _reset,
}
_AUTHENTICATE: dict[str, Control] = {
    "payment_intents": _authenticate_payment,
    "setup_intents": _authenticate_setup,
}
_WAITING: dict[tuple[str, ...], Callable[[Call, bytes], Awaitable[Any]]] = {
    ("POST", "events", "flush"): flush_events,
    ("POST", "events", "resend"): resend_event,
}
