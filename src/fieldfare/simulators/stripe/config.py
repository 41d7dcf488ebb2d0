"""How the simulator is set to behave: one frozen struct that the control API replaces.

It is kept with the objects, so a simulator that was killed goes on as it was told to.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=366 * 86_400)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
FaultKind: TypeAlias = Literal["500", "429", "401", "409", "hang", "reset", "half"]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fault for calls that match: of those, the `nth` and the `count - 1` after it."""

    kind: FaultKind
    when: Literal["before", "after"] = "before"
    """Whether it strikes before or after the request takes effect."""
    method: str = "*"
    path: str = "*"
    """A shell pattern, such as `/v1/payment_intents*`."""
    metadata: dict[str, str] = {}
    """Only requests that carry these pairs of metadata."""
    nth: Annotated[int, msgspec.Meta(ge=1)] = 1
    count: Annotated[int, msgspec.Meta(ge=0)] = 1
    """How many calls in a row; 0 is without end."""
    s: Seconds = 30.0
    """How long a `hang` lasts, in real time."""
    retry_after_s: Count = 1
    """What a `429` asks for."""
    id: str = ""
    seen: Count = 0
    """How many calls have matched so far."""


class EventOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How events reach the endpoints, from now on."""

    delay_s: Seconds = 0.0
    """Each is sent this much later."""
    shuffle_s: Seconds = 0.0
    """Each is sent at a random moment within this span."""
    duplicate: Annotated[int, msgspec.Meta(ge=0, le=20)] = 0
    """Each is sent this many times more."""
    drop: bool = False
    """They are recorded but never sent."""
    paused: bool = False
    """Nothing is sent until a flush, or until this is lifted."""
    types: tuple[str, ...] = ("*",)
    """Shell patterns of the types that delay, shuffle, duplicate and drop are for."""
    retry_delays_s: tuple[Seconds, ...] = (1.0, 5.0, 30.0, 300.0, 3600.0)
    """After each failed attempt, the wait before the next; then it is given up."""
    signature_age_s: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)] = 0.0
    """How old signatures claim to be; below zero they lie in the future."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the control API sets."""

    clock_offset_s: float = 0.0
    """The simulator's clock is the machine's plus this."""
    search_lag_s: Seconds = 60.0
    latency_s: Seconds = 0.0
    """Real time that each call takes before it runs."""
    rate_per_s: Count = 0
    """Calls a second before 429; 0 is without limit."""
    settle_delay_s: Seconds = 0.5
    """When a charge gets its balance transaction, if the intent does not ask for it at once."""
    dispute_delay_s: Seconds = 2.0
    """When a card that is disputed later is disputed."""
    funds_delay_s: Seconds = 0.0
    """When money becomes available, after its balance transaction."""
    usd_per_unit: dict[str, str] = {}
    """Currencies that are settled in US dollars, with the rate; others keep their balance."""
    faults: tuple[Fault, ...] = ()
    events: EventOptions = EventOptions()
