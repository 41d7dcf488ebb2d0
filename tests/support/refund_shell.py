"""`fieldfare refund` as a process of its own, and what holds it up on its way to be killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

from tests.support.cards import CardShop, environment_of
from tests.support.refunds import CREATE

LEASE = timedelta(seconds=31)
HANG_S = 1.5

Hold = Callable[[CardShop], AbstractContextManager[None]]
"""Holds whatever is under way up at one step of it."""


class Shell:
    """Runs the command on the shop's database and processor."""

    def __init__(self, shop: CardShop, home: Path, *, has_key: bool = True) -> None:
        known = {name: value for name, value in os.environ.items() if "FIELDFARE" not in name}
        self.env = {
            **known,
            **environment_of(shop),
            "DATABASE_URL": shop.database_url,
            "FIELDFARE_HOME": str(home),
            "PYTHONPATH": "src",
        }
        if not has_key:
            del self.env["FIELDFARE_STRIPE_KEY"]

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """The command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "fieldfare.cli.main", "refund", *words],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> list[str]:
        """The lines that a refund which is carried out prints."""
        process = self.start(*words)
        said, complained = process.communicate(timeout=60)
        assert process.returncode == 0, complained
        return said.splitlines()

    def refused(self, *words: str, code: int = 1) -> str:
        """What is said on stderr of one that is not."""
        process = self.start(*words)
        said, complained = process.communicate(timeout=60)
        assert (process.returncode, said) == (code, ""), complained
        return " ".join(complained.split())


@contextmanager
def hung(shop: CardShop, when: str) -> Iterator[None]:
    """Hold up the processor's answer."""
    shop.stripe.fault("hang", when=when, s=HANG_S, **CREATE)
    yield
    time.sleep(HANG_S + 0.5)  # Whatever was sent has run by then.
    # One that was killed before it called has left the fault for whoever calls next.
    shop.stripe.delete("faults")


def waits_for_a_lock(shop: CardShop) -> bool:
    """Whether the command waits for a session that holds a lock."""
    return bool(shop.sql(
        "select 1 from pg_stat_activity where datname = current_database()"
        " and application_name = 'fieldfare-cli' and wait_event_type = 'Lock'"
    ))  # fmt: skip


def opened(shop: CardShop) -> bool:
    """Whether this test's refund is recorded, by its timer; what is sent for it hangs."""
    return bool(shop.sql(
        "select 1 from notifications.outbox"
        " where topic in ('refund_unsettled', 'top_up_refund_unsettled')"
    ))  # fmt: skip
