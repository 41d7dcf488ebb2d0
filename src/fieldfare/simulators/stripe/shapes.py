"""New objects with every field that Stripe's own have.

`shapes.json` holds one neutral object of each kind, made from the public samples in Stripe's
OpenAPI repository; a test compares the fields.
"""

import secrets
import string
from importlib.resources import files
from typing import Any, TypeAlias

import msgspec

Thing: TypeAlias = dict[str, Any]
"""One Stripe object as its JSON."""

API_VERSION = "2026-10-28.endive"

_ALPHABET = string.ascii_letters + string.digits
_PREFIXES = {
    "account": "acct_1",
    "balance_transaction": "txn_1",
    "charge": "ch_3",
    "checkout.session": "cs_test_a1",
    "customer": "cus_",
    "dispute": "du_1",
    "event": "evt_1",
    "payment_intent": "pi_3",
    "payment_method": "pm_1",
    "refund": "re_3",
    "setup_intent": "seti_1",
    "transfer": "tr_1",
    "webhook_endpoint": "we_1",
}
_KINDS_BY_PREFIX = {prefix.split("_")[0]: kind for kind, prefix in _PREFIXES.items()}
_shapes: dict[str, bytes] = {
    kind: msgspec.json.encode(shape)
    for kind, shape in msgspec.json.decode(
        (files(__package__) / "shapes.json").read_bytes()
    ).items()
}


def new(kind: str, now_s: int, **fields: Any) -> Thing:
    """A fresh object of `kind`, created now, with a new id; unknown fields are our own bug."""
    thing: Thing = msgspec.json.decode(_shapes[kind])
    if kind in _PREFIXES:
        thing["id"] = new_id(_PREFIXES[kind])
    if "created" in thing:
        thing["created"] = now_s
    assert fields.keys() <= thing.keys(), fields.keys() - thing.keys()
    thing.update(fields)
    return thing


def new_id(prefix: str, length: int = 24) -> str:
    """An id that nobody can guess, such as `pi_3` and 24 letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def client_secret(identifier: str) -> str:
    """The secret with which a browser may go on with an intent."""
    return new_id(f"{identifier}_secret_", 25)


def kind_of(identifier: str) -> str | None:
    """The kind of object that an id belongs to, by its prefix."""
    return _KINDS_BY_PREFIX.get(identifier.split("_")[0])


def empty_list(url: str) -> Thing:
    """A list without entries."""
    return {"object": "list", "data": [], "has_more": False, "url": url}
