"""A client of the running API, as a test calls it."""

from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from tests.support.world import World

REPLAYED = "idempotency-replayed"
"""The header of an answer that was given before."""


@dataclass(frozen=True)
class Api:
    """The running API with the people who can call it."""

    base_url: str
    database_url: str
    world: World
    http: httpx.Client

    def get(self, path: str, token: str | None = None, **parameters: Any) -> httpx.Response:
        """GET as the live team, or as another token."""
        return self.http.get(path, headers=self.auth(token), params=parameters or None)

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        key: str | None = None,
        form: dict[str, str] | None = None,
        content: bytes | None = None,
        content_type: str | None = None,
    ) -> httpx.Response:
        """POST JSON, a form or raw bytes as the live team, or as another token."""
        headers = self.auth(token)
        if key is not None:
            headers["Idempotency-Key"] = key
        if content_type is not None:
            headers["Content-Type"] = content_type
        if form is not None:
            return self.http.post(path, data=form, headers=headers)
        if content is not None:
            return self.http.post(path, content=content, headers=headers)
        return self.http.post(path, json=body, headers=headers)

    def order(self, token: str | None = None, key: str | None = None, **fields: Any) -> Any:
        """An offset order of 0.45 t paid from credits unless `fields` say otherwise; its answer."""
        body = {"tons": 0.45, "paymentMethod": "credits", **fields}
        answer = self.post("/api/offset-orders", body, token=token, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def balance(self, token: str | None = None) -> int:
        """The credits of a token's account, in US cents."""
        balance: int = self.get("/api/credits/balance", token).json()["creditBalanceUsdCents"]
        return balance

    def sql(self, query: str, *parameters: Any) -> list[Any]:
        """The rows of a query."""
        with psycopg.connect(self.database_url) as conn:
            return conn.execute(query, parameters).fetchall()

    def auth(self, token: str | None = None) -> dict[str, str]:
        """The header of the live team, or of another token; none for an empty one."""
        chosen = self.world.live_token if token is None else token
        return {"Authorization": f"Bearer {chosen}"} if chosen else {}


def assert_refused(
    answer: httpx.Response, status: int, code: str, param: str | None = None
) -> dict[str, str]:
    """Check that an answer is a refusal in the one shape of all; gives its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body: dict[str, str] = answer.json()
    assert set(body) == {"message", "code"} | ({"param"} if param else set()), body
    assert (body["code"], body.get("param")) == (code, param), body
    assert body["message"].endswith((".", ")"))
    return body


def certified_and_not(listed: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of both lists of `GET /api/offset-orders`."""
    return [*listed["offsetOrders"], *listed["uncertifiedOffsetOrders"]]
