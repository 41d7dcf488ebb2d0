"""A client of the running API, as a test calls it."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import psycopg

from fieldfare.web.reference import DESCRIPTION
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
    assert_described(answer, code)
    return body


def assert_described(answer: httpx.Response, code: str) -> None:
    """Check that the API's description has this code for what was asked, if it describes that."""
    codes = described_codes(answer.request.method, answer.request.url.path)
    assert codes is None or code in codes, f"{answer.request.url.path} may not give {code}"


@cache
def described_codes(method: str, path: str) -> frozenset[str] | None:
    """The codes that an operation can give; None for what is no operation."""
    paths = json.loads(DESCRIPTION.read_text(encoding="utf-8"))["paths"]
    for described, item in paths.items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", described)
        if method.lower() in item and re.fullmatch(pattern, path):
            answers = item[method.lower()]["responses"]
            return frozenset(re.findall(r"^- `(\w+)`:", _texts(answers), re.MULTILINE))
    return None


def _texts(answers: dict[str, Any]) -> str:
    return "\n".join(answer["description"] for answer in answers.values())


def certified_and_not(listed: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of both lists of `GET /api/offset-orders`."""
    return [*listed["offsetOrders"], *listed["uncertifiedOffsetOrders"]]
