"""What an idempotency key is bound to: the request as it was understood, not as it was written."""

import msgspec
import pytest

from fieldfare.http.idempotency import RequestKey, request_key
from fieldfare.http.principal import Principal

ADA = Principal(account_id=1001, kind="team_live")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as one release declares it."""

    trees: int
    note: str | None
    metadata: dict[str, str]


class AskedLater(msgspec.Struct, frozen=True, kw_only=True):
    """The same request as another release declares it."""

    metadata: dict[str, str]
    note: str | None
    trees: int


def key_of(request: msgspec.Struct, header: str = "k", path: str = "/a") -> RequestKey:
    """The key of a request that came with one."""
    key = request_key(header, ADA, path, request)
    assert key is not None
    return key


def test_the_order_of_fields_and_pairs_does_not_matter() -> None:
    first = key_of(Asked(trees=5, note="é", metadata={"a": "1", "b": "2"}))
    assert first == key_of(AskedLater(trees=5, note="é", metadata={"b": "2", "a": "1"}))


@pytest.mark.parametrize(
    "other",
    [
        Asked(trees=6, note=None, metadata={}),
        Asked(trees=5, note="5", metadata={}),
        Asked(trees=5, note=None, metadata={"a": "1"}),
    ],
    ids=str,
)
def test_anything_else_that_is_asked_is_another_request(other: Asked) -> None:
    first, changed = key_of(Asked(trees=5, note=None, metadata={})), key_of(other)
    assert first.key_hash == changed.key_hash
    assert first.fingerprint != changed.fingerprint


def test_a_key_is_its_accounts_and_its_paths() -> None:
    asked = Asked(trees=5, note=None, metadata={})
    theirs = request_key("k", Principal(account_id=1002, kind="team_live"), "/a", asked)
    hashes = {
        key_of(asked).key_hash,
        key_of(asked, path="/b").key_hash,
        key_of(asked, "l").key_hash,
    }
    assert theirs is not None
    assert len(hashes | {theirs.key_hash}) == 4
    assert request_key(None, ADA, "/a", asked) is None
