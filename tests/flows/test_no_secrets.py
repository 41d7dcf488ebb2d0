"""No secret is in a log, an answer or a row: canaries are sent everywhere and looked for after.

A canary is a secret that stands nowhere else, so that finding it once proves a leak.
"""

import asyncio
import base64
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
from psycopg import sql

from fieldfare.db.embedded import free_port
from fieldfare.impact.service.signing import make_private_key
from tests.support.processes import ApiProcess
from tests.support.world import World, make_world
from tests.tidy.house import secret_settings

WEBHOOK_CANARY = f"whsec_{uuid4().hex}"
STRIPE_CANARY = f"sk_test_{uuid4().hex}"
SMTP_CANARY = f"smtp-{uuid4().hex}"
CERTIFICATE_CANARY = make_private_key().decode().splitlines()[1]
SPOILT_CANARY = f"MC4C{uuid4().hex}"
"""Of no use as a certificate key, as one is that was cut off when it was copied."""
OPERATOR_CANARY = f"operator-{uuid4().hex}"
SECRETS = {
    "FIELDFARE_STRIPE_KEY": STRIPE_CANARY,
    "FIELDFARE_STRIPE_URL": "http://127.0.0.1:9",
    "FIELDFARE_STRIPE_WEBHOOK_SECRET": WEBHOOK_CANARY,
    "FIELDFARE_SMTP_HOST": "127.0.0.1",
    "FIELDFARE_SMTP_PORT": "9",
    "FIELDFARE_SMTP_SECURITY": "plain",
    "FIELDFARE_SMTP_PASSWORD": SMTP_CANARY,
    "FIELDFARE_CERTIFICATE_KEY": CERTIFICATE_CANARY,
    "FIELDFARE_OPERATOR_PASSWORD": OPERATOR_CANARY,
    "FIELDFARE_LOG_LEVEL": "debug",
}


def test_canaries_are_found_nowhere(database_url: str, tmp_path: Path) -> None:
    world = asyncio.run(make_world(database_url))
    password = database_url.partition("://")[2].partition("@")[0].rpartition(":")[2]
    api = ApiProcess(database_url, tmp_path / "api.log", environment=SECRETS)
    api.wait_until_ready()
    try:
        answers = _send_canaries(api.base_url, world)
    finally:
        assert api.stop() == 0
    outputs = {
        "answers": "\n".join(answers),
        "api log": api.log.read_text(),
        "worker log": _run_worker(database_url, tmp_path / "worker.log"),
        "commands": _run_commands(database_url),
        "rows": _all_rows(database_url),
    }
    canaries = [
        *(getattr(world, name) for name in world.__struct_fields__ if name.endswith("_token")),
        WEBHOOK_CANARY,
        STRIPE_CANARY,
        SMTP_CANARY,
        SPOILT_CANARY,
        OPERATOR_CANARY,
        *_spellings(CERTIFICATE_CANARY),
    ]
    assert all(outputs.values()), "nothing was looked through"
    leaks = [
        f"a secret is in the {where}"
        for where, text in outputs.items()
        for canary in canaries
        if canary in text or base64.b64encode(canary.encode()).decode() in text
    ]
    if password:
        leaks += [
            f"the password is in the {where}" for where in outputs if password in outputs[where]
        ]
    assert leaks == []


def test_every_secret_setting_is_looked_for() -> None:
    # The database's is part of its address: its password is looked for by itself.
    assert set(secret_settings()) - {"DATABASE_URL"} <= set(SECRETS)


def _spellings(private_key: str) -> list[str]:
    """A private key as it is set, and its 32 bytes alone as somebody might print them."""
    alone = base64.b64decode(private_key)[-32:]
    return [
        private_key,
        alone.hex(),
        base64.b64encode(alone).decode(),
        base64.urlsafe_b64encode(alone).decode().rstrip("="),
        repr(alone)[2:-1],
    ]


def _send_canaries(base_url: str, world: World) -> list[str]:
    order = {"tons": 0.01, "paymentMethod": "credits", "note": "hello"}
    answers = []
    with httpx.Client(base_url=base_url, timeout=10) as http:
        for token in (world.live_token, world.test_token, world.revoked_token, world.bare_token):
            headers = {"Authorization": f"Bearer {token}"}
            answers += [
                http.post("/api/offset-orders", json=order, headers=headers).text,
                http.post("/api/offset-orders", content=b"{", headers=headers).text,
                http.post("/api/offset-orders", json={"tons": 1}, headers=headers).text,
                http.get("/api/offset-orders", headers=headers).text,
                http.get("/api/nothing", headers=headers).text,
                http.get("/api/credits/ledger", auth=(token, "")).text,
                http.get(f"/api/orders/{world.team_id}", headers={"Authorization": token}).text,
            ]
        answers += _look_at_a_certificate(http, {"Authorization": f"Bearer {world.live_token}"})
        answers.append(
            http.post(
                "/webhooks/stripe", content=b"{}", headers={"Stripe-Signature": "t=1,v1=0"}
            ).text
        )
    return answers


def _look_at_a_certificate(http: httpx.Client, headers: dict[str, str]) -> list[str]:
    order = {"tons": 0.01, "paymentMethod": "credits"}
    group = http.post("/api/offset-orders", json=order, headers=headers).json()["id"]
    made = http.get(f"/api/offset-orders/certificate/by-group/{group}", headers=headers)
    shown = made.json()
    assert shown["signed"]["kid"], "nothing was signed"
    spoilt = {**shown["signed"], "signature": "A" * 86}
    return [
        made.text,
        http.get(urlsplit(shown["url"]).path).text,
        http.get(urlsplit(shown["pdfUrl"]).path).content.decode("latin-1"),
        http.get("/.well-known/fieldfare-certificate-keys.json").text,
        http.post("/api/certificates/verify", json=spoilt).text,
    ]


def _run_worker(database_url: str, log: Path) -> str:
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "fieldfare.cli.main", "worker"],
            env={**os.environ, **SECRETS, "DATABASE_URL": database_url, "PYTHONPATH": "src"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 30
    while b"job_done" not in log.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.1)
    worker.terminate()
    worker.wait(timeout=30)
    return log.read_text()


def _run_commands(database_url: str) -> str:
    said = ""
    spoilt = {
        "FIELDFARE_CERTIFICATE_KEY": SPOILT_CANARY,
        "FIELDFARE_PORT": str(free_port()),
        "FIELDFARE_PROCESSES": "1",
    }
    for command, settings in (
        (("verify",), {}),
        (("token", "list", "--account", "1002"), {}),
        (("jobs",), {}),
        (("certificate-keys", "list"), {}),
        (("serve",), spoilt),
    ):
        run = subprocess.run(
            [sys.executable, "-m", "fieldfare.cli.main", *command],
            env={
                **os.environ,
                **SECRETS,
                **settings,
                "DATABASE_URL": database_url,
                "PYTHONPATH": "src",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said += run.stdout + run.stderr
    return said


def _all_rows(database_url: str) -> str:
    with psycopg.connect(database_url) as conn:
        tables = conn.execute(
            "select schemaname, tablename from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        texts = []
        for schema, table in tables:
            query = sql.SQL("select t::text from {} t").format(sql.Identifier(schema, table))
            texts += [row[0] for row in conn.execute(query)]
    return "\n".join(texts)
