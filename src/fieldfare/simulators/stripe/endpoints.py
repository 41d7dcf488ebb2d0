"""Webhook endpoints: where events go, each with the secret that signs them.

A secret is told once, when the endpoint is made. It is kept apart from the object.
"""

from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from fieldfare.simulators.stripe.errors import invalid
from fieldfare.simulators.stripe.pages import ListParams, page
from fieldfare.simulators.stripe.params import (
    Flag,
    Metadata,
    Params,
    Text,
    Texts,
    read,
    update_fields,
)
from fieldfare.simulators.stripe.shapes import API_VERSION, Thing, new, new_id
from fieldfare.simulators.stripe.store import delete, get, list_all, load_setting, put, save_setting
from fieldfare.simulators.stripe.world import Call


class UpdateEndpoint(Params, frozen=True, kw_only=True):
    """Fields of an endpoint."""

    url: Text = UNSET
    enabled_events: Texts = UNSET
    description: Text = UNSET
    disabled: Flag = UNSET
    metadata: Metadata = UNSET


class CreateEndpoint(Params, frozen=True, kw_only=True):
    """A new endpoint."""

    url: str
    enabled_events: list[str]
    api_version: Text = UNSET
    description: Text = UNSET
    metadata: Metadata = UNSET


def create_endpoint(call: Call) -> Thing:
    """POST /v1/webhook_endpoints; the only answer with the secret."""
    params = read(call, CreateEndpoint)
    secret = new_id("whsec_", 32)
    endpoint = add_endpoint(call, params.url, secret, params.enabled_events)
    update_fields(endpoint, params, "api_version", "description", "metadata")
    put(call.db, endpoint, call.now)
    return {**endpoint, "secret": secret}


def add_endpoint(call: Call, url: str, secret: str, types: list[str]) -> Thing:
    """Send events of `types` to `url` from now on, signed with `secret`."""
    check_url(url, "url")
    endpoint = new(
        "webhook_endpoint", call.now_s, url=url, enabled_events=types, api_version=API_VERSION
    )
    save_setting(call.db, f"secret:{endpoint['id']}", msgspec.json.encode(secret))
    return put(call.db, endpoint, call.now)


def ensure_endpoints(call: Call) -> None:
    """Add the endpoints given at the start, or give those that are there their secret."""
    known = {endpoint["url"]: endpoint for endpoint in list_all(call.db, "webhook_endpoint")}
    for url, secret in call.world.webhooks:
        if url in known:
            name = f"secret:{known[url]['id']}"
            save_setting(call.db, name, msgspec.json.encode(secret))
        else:
            add_endpoint(call, url, secret, ["*"])


def check_url(url: str, param: str) -> None:
    """Raise `ApiError` (400) for what no browser or client could go to."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise invalid(
            "Invalid URL: An explicit scheme (such as https) must be provided.",
            param=param,
            code="url_invalid",
        )


def get_secret(call: Call, endpoint: Thing) -> str:
    """What signs the events to this endpoint."""
    found = load_setting(call.db, f"secret:{endpoint['id']}")
    assert found is not None
    return msgspec.json.decode(found, type=str)


def retrieve_endpoint(call: Call) -> Thing:
    """GET /v1/webhook_endpoints/{id}."""
    return get(call.db, "webhook_endpoint", call.ids[0])


def update_endpoint(call: Call) -> Thing:
    """POST /v1/webhook_endpoints/{id}."""
    params = read(call, UpdateEndpoint)
    endpoint = get(call.db, "webhook_endpoint", call.ids[0])
    if isinstance(params.url, str):
        check_url(params.url, "url")
    update_fields(endpoint, params, "url", "enabled_events", "description", "metadata")
    if isinstance(params.disabled, bool):
        endpoint["status"] = "disabled" if params.disabled else "enabled"
    return put(call.db, endpoint, call.now)


def list_endpoints(call: Call) -> Thing:
    """GET /v1/webhook_endpoints."""
    return page(call, "webhook_endpoint", read(call, ListParams))


def delete_endpoint(call: Call) -> Thing:
    """DELETE /v1/webhook_endpoints/{id}."""
    endpoint = get(call.db, "webhook_endpoint", call.ids[0])
    delete(call.db, "webhook_endpoint", endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}
