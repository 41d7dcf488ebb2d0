"""Requests at random to every operation, as two accounts and in test mode: none differs from the
description, none is a 500, and nothing of one account is seen by another.

Schemathesis draws them, with every check that it has (`tests/support/at_random`). The short form
asks for fifty 2xx of each operation in all; the long one, of `make chaos`, of each account. What
was answered to what is printed (`pytest -s`), and kept as `at-random.txt` in the folder of the run.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.at_random.running import Whoever, ask_at_random, good_answers, table
from tests.support.cards import CardShop, Team, card_shop
from tests.support.documented import ask_test_token, build_feed
from tests.tidy.test_description import OPERATIONS

GOOD_ANSWERS = 50
CREDITS_CENTS = 99_999_999
VALID = ["--phases", "examples,fuzzing,stateful", "--mode", "positive"]
HOSTILE = ["--phases", "examples,coverage,fuzzing", "--mode", "all"]
SHORT = [("first", VALID, 22), ("second", VALID, 22), ("test", HOSTILE, 12)]
LONG = [
    (name, how, 110)
    for name in ("first", "second", "test")
    for how in (VALID, [*HOSTILE[:1], "coverage,fuzzing,stateful", *HOSTILE[2:]])
]


class Accounts(msgspec.Struct, frozen=True):
    """A shop, and who asks there."""

    shop: CardShop
    teams: tuple[Team, Team]
    test_token: str
    known: dict[str, dict[str, str]]
    """What each knows to ask for."""

    def whoever(self, name: str) -> Whoever:
        """The first, the second, or the first in test mode."""
        first, second = self.teams
        if name == "test":
            return Whoever(
                name=name, token=self.test_token, other_token=second.token,
                known=self.known[name], is_test=True,
            )  # fmt: skip
        one, other = (first, second) if name == "first" else (second, first)
        return Whoever(name=name, token=one.token, other_token=other.token, known=self.known[name])


@pytest.fixture(scope="module")
def accounts(server_url: str, template: str) -> Iterator[Accounts]:
    """Two teams with cards and credits for thousands of orders."""
    with card_shop(server_url, template) as shop:
        shop.begin()
        teams = shop.team(), shop.team()
        known = {}
        for name, team in zip(("first", "second"), teams, strict=True):
            assert shop.top_up(team, cents=CREDITS_CENTS).status_code == 200
            known[name] = ids_of(shop, team, shop.order(team).json()["purchaseId"])
        build_feed(shop)
        token = ask_test_token(shop, teams[0])
        sample = shop.get("/api/purchases", Team(0, token)).json()["purchases"][0]["purchaseId"]
        known["test"] = {**known["first"], "purchaseId": sample, "groupId": sample, "slug": sample}
        yield Accounts(shop, teams, token, known)


def ids_of(shop: CardShop, team: Team, purchase_id: str) -> dict[str, str]:
    """What an order and its certificate are called."""
    path = f"/api/offset-orders/certificate/by-group/{purchase_id}"
    certificate = shop.get(path, team).json()
    return {
        "purchaseId": purchase_id,
        "groupId": certificate["orderGroupId"],
        "slug": certificate["url"].rpartition("/")[2],
        "number": certificate["certificateNumber"],
    }


def test_every_operation_is_answered_as_described(accounts: Accounts, tmp_path: Path) -> None:
    answers: Counter[str] = Counter()
    for seed, (name, how, examples) in enumerate(SHORT):
        answers += asked(accounts, tmp_path, name, how, examples, seed)
    told(answers, tmp_path)


@pytest.mark.long
def test_every_operation_is_answered_as_described_for_long(
    accounts: Accounts, tmp_path: Path
) -> None:
    of_each: dict[str, Counter[str]] = {}
    for seed, (name, how, examples) in enumerate(LONG):
        of_each.setdefault(name, Counter())
        of_each[name] += asked(accounts, tmp_path, name, how, examples, seed)
    for name, answers in of_each.items():
        (tmp_path / name).mkdir()
        told(answers, tmp_path / name)


def asked(
    accounts: Accounts, folder: Path, name: str, how: list[str], examples: int, seed: int
) -> Counter[str]:
    """What one was answered; no check may have failed, and the books still agree."""
    run = ask_at_random(
        accounts.shop.base_url, accounts.whoever(name), folder, seed=seed,
        arguments=[*how, "--max-examples", str(examples)],
    )  # fmt: skip
    assert not run.failed, run.printed
    return run.answers


def told(answers: Counter[str], folder: Path) -> None:
    """Tell what was answered; each operation gave enough that were good."""
    text = table(answers)
    sys.stdout.write(f"\n{text}\n")
    (folder / "at-random.txt").write_text(text, encoding="utf-8")
    good = good_answers(answers)
    assert {name: good[name] for name in OPERATIONS if good[name] < GOOD_ANSWERS} == {}
    assert not [label for label in answers if label.rpartition(" ")[2].startswith("5")]
