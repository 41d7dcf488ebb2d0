"""What holds for the body and the key of every POST of the API, whichever it is."""

import json
from typing import Any

import httpx
import pytest

from fieldfare.kernel import limits
from fieldfare.routes import ROUTES
from tests.api.test_walls import EXAMPLES
from tests.support.client import Api, assert_refused

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BODIES: dict[str, dict[str, Any]] = {
    route.path: EXAMPLES["POST", route.path].body or {}
    for route in ROUTES
    if route.method == "POST" and route.needs == "token"
}
EVERY_POST = pytest.mark.parametrize("path", BODIES)
KINDS = pytest.mark.parametrize("kind", ["live", "test"])


def token_of(api: Api, kind: str) -> str:
    """The token of the live team, or its test token."""
    return api.world.live_token if kind == "live" else api.world.test_token


def send(api: Api, path: str, kind: str, content: bytes, content_type: str | None) -> Any:
    """A body as it is."""
    token = token_of(api, kind)
    return api.post(path, content=content, content_type=content_type, token=token)


def without_ids(answer: httpx.Response) -> dict[str, Any]:
    """What an answer says, but for what is drawn anew and what is left."""
    drawn = {"id", "purchaseId", "certificateUrl", "creditsRemaining", "creditBalance"}
    return {name: value for name, value in answer.json().items() if name not in drawn}


@EVERY_POST
def test_a_form_is_read_as_json_is(calm_api: Api, path: str) -> None:
    body = BODIES[path]
    form = {name: str(value) for name, value in body.items()}
    as_json = calm_api.post(path, body, token=calm_api.world.test_token)
    as_form = calm_api.post(path, form=form, token=calm_api.world.test_token)
    assert (as_json.status_code, as_form.status_code) == (200, 200)
    assert without_ids(as_form) == without_ids(as_json)
    plain = send(calm_api, path, "test", json.dumps(body).encode(), None)
    assert without_ids(plain) == without_ids(as_json)


@EVERY_POST
@KINDS
def test_a_body_of_another_kind_is_refused(calm_api: Api, path: str, kind: str) -> None:
    body = json.dumps(BODIES[path]).encode()
    for content_type in ("text/plain", "application/xml", "multipart/form-data; boundary=x"):
        answer = send(calm_api, path, kind, body, content_type)
        assert_refused(answer, 415, "unsupported_media_type")
    too_large = send(calm_api, path, kind, body.ljust(limits.BODY_BYTES + 1), JSON)
    assert_refused(too_large, 413, "body_too_large")
    for content in (b"[]", b"5", b"{", b'{"a": 1,}'):
        assert_refused(send(calm_api, path, kind, content, JSON), 400, "invalid_json")


@EVERY_POST
@KINDS
def test_a_field_given_twice_is_refused_and_an_unknown_one_ignored(
    calm_api: Api, path: str, kind: str
) -> None:
    name, value = next(iter(BODIES[path].items()))
    twice = f"{name}={value}&{name}={value}".encode()
    assert_refused(send(calm_api, path, kind, twice, FORM), 400, "duplicate_field", name)
    answer = calm_api.post(
        path, BODIES[path] | {"surprise": [1, {}]}, token=token_of(calm_api, kind)
    )
    known = calm_api.post(path, BODIES[path], token=token_of(calm_api, kind))
    assert answer.status_code == known.status_code
    assert list(answer.json()) == list(known.json())


@EVERY_POST
@KINDS
def test_null_and_an_empty_text_are_as_good_as_nothing(calm_api: Api, path: str, kind: str) -> None:
    name = next(iter(BODIES[path]))
    nothing = calm_api.post(path, {}, token=token_of(calm_api, kind))
    assert (nothing.status_code, nothing.json()["param"]) == (400, name)
    for absent in (None, ""):
        answer = calm_api.post(path, {name: absent}, token=token_of(calm_api, kind))
        assert (answer.status_code, answer.content) == (400, nothing.content)


@EVERY_POST
@KINDS
@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb"])
def test_a_key_of_another_form_is_refused(calm_api: Api, path: str, kind: str, key: str) -> None:
    answer = calm_api.post(path, BODIES[path], token=token_of(calm_api, kind), key=key)
    assert_refused(answer, 400, "invalid_idempotency_key", "Idempotency-Key")


@EVERY_POST
def test_a_test_token_s_key_is_ignored(calm_api: Api, path: str) -> None:
    token = calm_api.world.test_token
    answers = [calm_api.post(path, BODIES[path], token=token, key="same") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all("idempotency-replayed" not in answer.headers for answer in answers)
