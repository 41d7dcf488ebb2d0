"""What the description says once: its own head, its tags, and what stands around every request."""

from typing import Any

from fieldfare.kernel import limits

Schema = dict[str, Any]

INFO = """\
Everything that Fieldfare sells can be ordered by HTTP: tonnes of CO₂e through a portfolio, trees
by number, an amount for one project.

**Tokens.** Send one as `Authorization: Bearer TOKEN`, or by Basic auth as the user name with an
empty password. A token that begins with `wren_test_` runs the same checks and gets the same
refusals, then a canned answer that says `"test": true`: nothing is recorded, charged or mailed.

**Bodies.** JSON or a form, with the same names and checks. `null`, and an empty text where a
field is optional, mean the same as leaving it out; unknown fields are ignored. In a form numbers
are text, booleans are `true`, `false`, `1` or `0`, and pairs are `metadata[key]=value`.

**Answers.** Always JSON. 200 means done; anything else is a refusal with a `message` for people
and a `code` for programs. A path that leads nowhere is a 404 `not_found`, a method that a path
does not take a 405 `method_not_allowed` with `Allow`. `HEAD` and `OPTIONS` are taken where `GET`
is. New fields may be added to answers at any time.

**Retries.** Every POST takes an `Idempotency-Key`; the same key with the same request takes
effect once.
"""
TAGS = {
    "Offset orders": "Tonnes of CO₂e through a portfolio of projects.",
    "Tree orders": "Trees by number.",
    "Project orders": "An amount for one project.",
    "Purchases": "What was paid for, as one order group each.",
    "Portfolios": "What is sold, and at which price.",
    "Credits": "Money that an account paid in ahead, in US cents.",
    "Certificates": "What of an order is certified, for whom, and whether it still holds.",
    "Reference": "This description.",
}
HEADERS: dict[str, Schema] = {
    "X-Request-Id": {
        "description": "Yours if it was a sane one, else drawn. Name it to the operator.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "example": "0b4f6f1c2d9e4a7f8c3b5a6978d0e1f2",
    },
    "Idempotency-Replayed": {
        "description": "`true` on an answer that was given before to the same key.",
        "schema": {"type": "string", "const": "true"},
        "example": "true",
    },
    "Retry-After": {
        "description": "Seconds after which to send the same request again.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    },
    "RateLimit": {
        "description": "Requests that are left, and for how many seconds: spread over them they "
        "keep to the rate.",
        "schema": {"type": "string", "pattern": '^"default";r=[0-9]+;t=[0-9]+$'},
        "example": '"default";r=985;t=5',
    },
    "RateLimit-Policy": {
        "description": "The quota, and the seconds in which all of it comes back.",
        "schema": {"type": "string", "pattern": '^"default";q=[0-9]+;w=[0-9]+$'},
        "example": '"default";q=1000;w=5',
    },
    "ETag": {
        "description": "What to send as `If-None-Match` the next time.",
        "schema": {"type": "string", "pattern": '^"[^"]+"$'},
        "example": '"5d41402abc4b2a76b9719d911017c592"',
    },
    "Cache-Control": {
        "description": "How long the answer may be kept.",
        "schema": {"type": "string"},
        "example": "public, max-age=1800",
    },
    "Link": {
        "description": "With `limit`, unless this is the last page: the address of the next one.",
        "schema": {"type": "string", "pattern": '^<[^>]+>; rel="next"$'},
        "example": '</api/project-donations?limit=1&cursor=01a20016>; rel="next"',
    },
}
PARAMETERS: dict[str, Schema] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes a request safe to send again: the same key with the same request "
        "takes effect once. Dry runs, previews and test tokens check its form and ignore it.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": limits.IDEMPOTENCY_KEY_CHARACTERS,
            "pattern": "^[ -~]+$",
        },
        "example": "order-4711",
    },
    "X-Request-Id": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "Follows the request through the logs and comes back, if it is 1 to 64 "
        "letters, digits, dots, dashes or underscores; another one is replaced.",
        "schema": {"type": "string"},
        "example": "checkout-17",
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of an earlier answer: the answer is a 304 if it still holds.",
        "schema": {"type": "string"},
        "example": '"5d41402abc4b2a76b9719d911017c592"',
    },
}
LINKS = {
    "order": {
        "operationId": "getOrder",
        "parameters": {"purchaseId": "$response.body#/purchaseId"},
        "description": "Unless it was a dry run: the order and its state.",
    }
}
SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token: a UUID, or `wren_test_` and a UUID for test mode.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The token as the user name, with an empty password.",
    },
}
