"""Loaded by Schemathesis: what is asked, and what else must hold of each answer.

A valid body that is drawn from the description alone names a portfolio that is not sold, or costs
more than anybody has. So valid orders are led towards what is sold; one in eight is left as it was
drawn, and is refused. Invalid ones are sent as they are.
"""

import atexit
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import httpx
import schemathesis
from schemathesis import Case, CheckContext, GenerationMode, HookContext, Response
from schemathesis.specs.openapi.checks import negative_data_rejection

RESULTS = Path(os.environ["AT_RANDOM_RESULTS"])
BASE_URL = os.environ["AT_RANDOM_BASE_URL"]
OTHER_TOKEN = os.environ["AT_RANDOM_OTHER_TOKEN"]
KNOWN: dict[str, str] = json.loads(os.environ["AT_RANDOM_KNOWN"])
"""Values of path parameters under which there is something."""
IS_TEST = bool(os.environ["AT_RANDOM_IS_TEST"])

PORTFOLIOS = (2, 12)
PROJECTS = (1, 2, 31)
VERIFY = "/api/certificates/verify"
"""Takes any document, but not none."""
MOST_TONS = 3
MOST_TREES = 40
MOST_CENTS = 30_000
ENOUGH = 10**9
ABOUT_THE_ORDER = frozenset({
    "portfolio_not_found", "project_not_found", "use_tree_orders", "below_minimum",
    "above_maximum", "price_above_maximum", "insufficient_credits", "idempotency_mismatch",
    "order_not_found", "no_payment_method", "account_required", "certificate_not_found",
    "invalid_certificate_number", "invalid_certificate",
})  # fmt: skip
"""What a request may be refused for whose every field is as it is described."""
NEEDS_NO_TOKEN = (
    "/api/certificates/", "/api/offset-orders/public", "/api/portfolios", "/api/openapi.json",
)  # fmt: skip

BOOLEANS = ("dryRun", "sendReceiptEmail")
FORM_BOOLEANS = ("true", "false", "1", "0")
AnyCase: TypeAlias = Case[Any]

_http = httpx.Client(base_url=BASE_URL, timeout=30)
_answers: Counter[str] = Counter()


@atexit.register
def write_results() -> None:
    """What was answered to what, how often."""
    RESULTS.write_text(json.dumps(_answers), encoding="utf-8")


@schemathesis.hook
def before_call(_: HookContext, case: AnyCase, __: dict[str, Any]) -> None:
    """Lead a valid order towards what is sold, and give most of them a key of their own."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    draw = uuid4().int
    if draw % 8 and isinstance(case.body, dict):
        lead(case.body, draw)
        if case.operation.path == VERIFY:
            case.body.setdefault("signed", "{}")
    if draw % 8 and case.path_parameters:
        known = {name: KNOWN[name] for name in case.path_parameters if name in KNOWN}
        case.path_parameters = {**case.path_parameters, **known}
    if draw % 4 and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(UUID(int=draw))


def lead(body: dict[str, Any], draw: int) -> None:
    """Make what is ordered something that can be sold, by card or from credits."""
    if body.get("portfolioId") is not None:
        body["portfolioId"] = PORTFOLIOS[draw % len(PORTFOLIOS)]
    if isinstance(body.get("projectId"), int):
        body["projectId"] = PROJECTS[draw % len(PROJECTS)]
    if body.get("maxAmountCharged") is not None:
        body["maxAmountCharged"] = ENOUGH
    for name, most in (("amountOfTrees", MOST_TREES), ("amountInUsdCents", MOST_CENTS)):
        if isinstance(body.get(name), int) and body[name] > most:
            body[name] = most // 2 + body[name] % (most // 2)
    tons = body.get("tons")
    if isinstance(tons, float | int) and not 0.1 <= tons <= MOST_TONS:
        body["tons"] = round(0.1 + draw % 2_900 / 1_000, 3)


@schemathesis.hook
def after_call(_: HookContext, case: AnyCase, response: Response) -> None:
    """Count the answer."""
    _answers[f"{case.operation.label} {response.status_code}"] += 1


@schemathesis.check
def a_valid_request_is_refused_for_what_it_orders(
    _: CheckContext, response: Response, case: AnyCase
) -> None:
    """Each field was as it is described, so none of them is to blame."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if response.status_code in (400, 404, 409, 415, 413, 422) and not _was_altered(case):
        assert response.json()["code"] in ABOUT_THE_ORDER, response.text


@schemathesis.check
def an_invalid_request_is_refused(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """As Schemathesis has it, but for what we promise to forgive."""
    if not is_forgiven(case):
        negative_data_rejection(ctx, response, case)


def is_forgiven(case: AnyCase) -> bool:
    """Whether something is blank, which counts as left out, or a form says 1 or 0 for a boolean."""
    body = case.body if isinstance(case.body, dict) else {}
    in_form = "form" in (case.media_type or "")
    return "" in [*(case.query or {}).values(), *body.values()] or (
        in_form and any(str(body.get(name)).lower() in FORM_BOOLEANS for name in BOOLEANS)
    )


def _was_altered(case: AnyCase) -> bool:
    """Whether a check of Schemathesis sent the case again with something changed."""
    return bool(case.operation.method.upper() != case.method.upper())


@schemathesis.check
def an_order_is_nobody_elses(_: CheckContext, response: Response, case: AnyCase) -> None:
    """Another account finds neither the order nor a row of it."""
    if response.status_code != 200 or case.method.upper() != "POST" or IS_TEST:
        return
    purchase_id = response.json().get("purchaseId")
    if purchase_id is None:
        return
    headers = {"Authorization": f"Bearer {OTHER_TOKEN}"}
    found = _http.get(f"/api/orders/{purchase_id}", headers=headers)
    assert (found.status_code, found.json()["code"]) == (404, "order_not_found"), found.text
    listed = _http.get(
        "/api/purchases", headers=headers, params={"order_group_id": response.json()["id"]}
    )
    assert listed.json()["purchases"] == [], listed.text


@schemathesis.check
def in_test_mode_it_is_said(_: CheckContext, response: Response, case: AnyCase) -> None:
    """Every object that a test token gets says `test`, and no other does."""
    if response.status_code != 200 or case.operation.path.startswith(NEEDS_NO_TOKEN):
        return
    is_json = "json" in response.headers["content-type"][0]
    body = response.json() if is_json else None
    if isinstance(body, dict):
        assert body.get("test", False) is IS_TEST, response.text[:500]
