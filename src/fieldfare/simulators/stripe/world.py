"""What a request needs at hand: the running simulator, and the call it belongs to.

The clock is the machine's plus an offset, so it can be moved but never stands still. Everything
runs on one event loop, and no call gives it up inside a transaction.
"""

import asyncio
import sqlite3
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from fieldfare.simulators.stripe.config import Config
from fieldfare.simulators.stripe.shapes import API_VERSION
from fieldfare.simulators.stripe.store import load_setting, open_store, save_setting

T = TypeVar("T")
_CONFIG = "config"


@dataclass(kw_only=True)
class World:
    """One running simulator."""

    db: sqlite3.Connection
    secret_key: str
    config: Config
    webhooks: tuple[tuple[str, str], ...] = ()
    """Endpoints given at the start: address and signing secret."""
    running_keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Path and fingerprint of what is running, by idempotency key."""
    recent_calls: deque[float] = field(default_factory=deque)
    """Real instants of the calls of the last second, for the rate limit."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something may be due."""


@dataclass(kw_only=True)
class Call:
    """One request, or something that fell due; then it has neither request id nor key."""

    world: World
    now: float
    request_id: str | None = None
    key: str | None = None
    method: str = ""
    path: str = ""
    ids: tuple[str, ...] = ()
    """What the path names, in its order."""
    params: dict[str, Any] = field(default_factory=dict)
    base_url: str = ""
    version: str = API_VERSION
    """The API version that the caller asked for."""

    @property
    def db(self) -> sqlite3.Connection:
        """The store."""
        return self.world.db

    @property
    def now_s(self) -> int:
        """The simulator's time as Stripe writes it."""
        return int(self.now)


def open_world(
    home: Path | None, *, secret_key: str, webhooks: tuple[tuple[str, str], ...] = ()
) -> World:
    """Open the store and take up the settings left in it; raises `SimulatorRefused`."""
    db = open_store(home)
    kept = load_setting(db, _CONFIG)
    config = msgspec.json.decode(kept, type=Config) if kept else Config()
    return World(db=db, secret_key=secret_key, config=config, webhooks=webhooks)


def set_config(world: World, config: Config) -> None:
    """Behave like this from now on, and after a restart; within a transaction."""
    save_setting(world.db, _CONFIG, msgspec.json.encode(config))
    world.config = config


def now(world: World) -> float:
    """The simulator's time, in Unix seconds."""
    return time.time() + world.config.clock_offset_s
