"""The simulator's memory: one SQLite database, in a file or in memory.

Objects are kept as their JSON. What must hold: `seq` grows in the order of creation, so lists are
exact and page stably whatever the clock does; nothing is written outside `transaction`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from fieldfare.simulators.stripe.errors import (
    DECLINED,
    ApiError,
    SimulatorRefused,
    missing,
)
from fieldfare.simulators.stripe.shapes import Thing

FILE_NAME = "stripe.sqlite3"
SCHEMA_VERSION = 1
SEARCHABLE = frozenset({"customer", "payment_intent", "charge"})
VERSIONS_KEPT = 12
REQUESTS_KEPT = 100_000

_SCHEMA = """
create table object (
    seq integer primary key, kind text not null, id text not null, created integer,
    customer text, payment_intent text, charge text, body blob not null, unique (kind, id)
);
create index object_by_kind on object (kind, seq);
create index object_by_customer on object (kind, customer, seq) where customer is not null;
create index object_by_intent on object (kind, payment_intent, seq)
    where payment_intent is not null;
create index object_by_charge on object (kind, charge, seq) where charge is not null;
create table version (
    seq integer primary key, kind text not null, id text not null, at_s real not null,
    body blob not null
);
create index version_by_object on version (kind, id, seq);
create table card (payment_method text primary key, number text not null,
    authenticated integer not null default 0);
create table kept (
    key text primary key, method text not null, path text not null, fingerprint text not null,
    status integer not null, body blob not null, request_id text not null, at_s real not null
);
create index kept_by_age on kept (at_s);
create table delivery (
    seq integer primary key, event text not null, endpoint text not null, due_at_s real not null,
    attempt integer not null default 0, state text not null default 'waiting', status integer
);
create index delivery_due on delivery (state, due_at_s, seq);
create index delivery_by_event on delivery (event);
create table timer (
    seq integer primary key, due_at_s real not null, kind text not null, subject text not null,
    unique (kind, subject)
);
create table request (seq integer primary key, body blob not null);
create table setting (name text primary key, body blob not null);
"""
_TABLES = ("object", "version", "card", "kept", "delivery", "timer", "request", "setting")


def open_store(home: Path | None) -> sqlite3.Connection:
    """The database in `home`, made if it is not there, or one in memory.

    Raises `SimulatorRefused` if it cannot be used, or another simulator has it.
    """
    try:
        if home is not None:
            home.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(
            ":memory:" if home is None else home / FILE_NAME, isolation_level=None, timeout=1
        )
        # One process owns the file, and the lock dies with it.
        db.execute("pragma locking_mode = exclusive")
        db.execute("pragma journal_mode = wal")
        # Safe against a killed process; only a power cut may take the last moments.
        db.execute("pragma synchronous = normal")
        _create(db)
    except (OSError, sqlite3.Error) as error:
        raise SimulatorRefused(
            f"the Stripe simulator cannot use {home} ({error}); stop the one that does, "
            "or give another folder with --home"
        ) from error
    return db


def _create(db: sqlite3.Connection) -> None:
    version = db.execute("pragma user_version").fetchone()[0]
    if version == 0:
        with transaction(db):
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"pragma user_version = {SCHEMA_VERSION}")
    elif version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"its version is {version}, not {SCHEMA_VERSION}")
    with transaction(db):  # what was being sent when the process was killed is sent again
        db.execute("update delivery set state = 'waiting' where state = 'sending'")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Everything in the block or nothing."""
    db.execute("begin immediate")
    try:
        yield
    except BaseException:
        db.execute("rollback")
        raise
    db.execute("commit")


@contextmanager
def attempt(db: sqlite3.Connection) -> Iterator[None]:
    """Within a transaction: undo the block if it fails, unless it fails as a decline does (402)."""
    db.execute("savepoint attempt")
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, ApiError) and error.status == DECLINED):
            db.execute("rollback to attempt")
        db.execute("release attempt")
        raise
    db.execute("release attempt")


def clear(db: sqlite3.Connection) -> None:
    """Forget everything."""
    for table in _TABLES:
        db.execute(f"delete from {table}")  # noqa: S608 - of the tuple above


def put(db: sqlite3.Connection, thing: Thing, now_s: float) -> Thing:
    """Insert or replace an object by its kind and id; gives it back."""
    kind, body = thing["object"], msgspec.json.encode(thing)
    db.execute(
        """
        insert into object (kind, id, created, customer, payment_intent, charge, body)
        values (?, ?, ?, ?, ?, ?, ?)
        on conflict (kind, id) do update set customer = excluded.customer,
            payment_intent = excluded.payment_intent, charge = excluded.charge, body = excluded.body
        """,
        (
            kind, thing["id"], thing.get("created"), thing.get("customer"),
            thing.get("payment_intent"), thing.get("charge"), body,
        ),
    )  # fmt: skip
    if kind in SEARCHABLE:
        _put_version(db, kind, thing["id"], now_s, body)
    return thing


def _put_version(
    db: sqlite3.Connection, kind: str, identifier: str, now_s: float, body: bytes
) -> None:
    db.execute(
        "insert into version (kind, id, at_s, body) values (?, ?, ?, ?)",
        (kind, identifier, now_s, body),
    )
    db.execute(
        """
        delete from version where kind = ?1 and id = ?2 and seq <= (
            select seq from version where kind = ?1 and id = ?2
            order by seq desc limit 1 offset ?3)
        """,
        (kind, identifier, VERSIONS_KEPT),
    )


def find(db: sqlite3.Connection, kind: str, identifier: str) -> Thing | None:
    """The object as it is now, or None."""
    row = db.execute(
        "select body from object where kind = ? and id = ?", (kind, identifier)
    ).fetchone()
    return _decoded(row[0]) if row else None


def get(db: sqlite3.Connection, kind: str, identifier: str, *, param: str | None = None) -> Thing:
    """The object as it is now; raises `ApiError`: 404 for a path's id, 400 for a parameter's."""
    thing = find(db, kind, identifier)
    if thing is None:
        raise missing(kind, identifier, param=param)
    return thing


def delete(db: sqlite3.Connection, kind: str, identifier: str) -> None:
    """Remove an object."""
    db.execute("delete from object where kind = ? and id = ?", (kind, identifier))
    db.execute("delete from version where kind = ? and id = ?", (kind, identifier))


def list_all(db: sqlite3.Connection, kind: str, **fields: Any) -> list[Thing]:
    """Every object of a kind, oldest first, whose indexed `fields` have these values."""
    where = "".join(f" and {name} = ?" for name in fields)
    rows = db.execute(
        f"select body from object where kind = ?{where} order by seq",  # noqa: S608 - parameters' names
        (kind, *fields.values()),
    )
    return [_decoded(body) for (body,) in rows]


def list_as_of(db: sqlite3.Connection, kind: str, at_s: float) -> Iterator[Thing]:
    """What a search index of that instant knew, newest object first."""
    rows = db.execute(
        """
        select v.body from object o join version v on v.seq = (
            select max(seq) from version where kind = o.kind and id = o.id and at_s <= ?)
        where o.kind = ? order by o.seq desc
        """,
        (at_s, kind),
    )
    return (_decoded(body) for (body,) in rows)


def load_setting(db: sqlite3.Connection, name: str) -> bytes | None:
    """A setting's JSON."""
    row = db.execute("select body from setting where name = ?", (name,)).fetchone()
    return row[0] if row else None


def save_setting(db: sqlite3.Connection, name: str, body: bytes) -> None:
    """Keep a setting's JSON."""
    db.execute("insert or replace into setting (name, body) values (?, ?)", (name, body))


def set_timer(db: sqlite3.Connection, kind: str, subject: str, due_at_s: float) -> None:
    """Have `kind` done to `subject` once the simulator's clock reads `due_at_s`."""
    db.execute(
        "insert or replace into timer (due_at_s, kind, subject) values (?, ?, ?)",
        (due_at_s, kind, subject),
    )


def log_request(db: sqlite3.Connection, entry: Thing) -> None:
    """Append to the log of requests; the oldest are forgotten beyond `REQUESTS_KEPT`."""
    done = db.execute("insert into request (body) values (?)", (msgspec.json.encode(entry),))
    assert done.lastrowid is not None
    db.execute("delete from request where seq <= ?", (done.lastrowid - REQUESTS_KEPT,))


def list_requests(db: sqlite3.Connection) -> list[Thing]:
    """The log of requests, oldest first."""
    return [_decoded(body) for (body,) in db.execute("select body from request order by seq")]


def _decoded(body: bytes) -> Thing:
    thing: Thing = msgspec.json.decode(body)
    return thing
