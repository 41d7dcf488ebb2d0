"""Runs Schemathesis against a running API, as one account; gives what was answered to what."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec

from fieldfare.web.reference import DESCRIPTION
from tests.tidy.house import ROOT

FORGIVEN = "negative_data_rejection"
"""Called by `hooks`, for all that we do not forgive."""
CONFIG = Path(__file__).parent / "schemathesis.toml"
TABLE_HEAD = ("operation", "2xx", "304", "400", "403", "404", "405", "409", "413", "415", "422")


class Whoever(msgspec.Struct, frozen=True, kw_only=True):
    """Whose requests they are, and who must not see what they make."""

    name: str
    token: str
    other_token: str
    known: dict[str, str]
    """Values of path parameters under which there is something."""
    is_test: bool = False


class Run(msgspec.Struct, frozen=True):
    """One run."""

    answers: Counter[str]
    """How often `POST /api/tree-orders 200` was answered."""
    failed: bool
    printed: str


def ask_at_random(
    base_url: str, who: Whoever, folder: Path, *, seed: int, arguments: list[str]
) -> Run:
    """Every operation, with this token."""
    results = folder / f"{who.name}.json"
    run = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run",
            str(DESCRIPTION), "--url", base_url, "--header", f"Authorization: Bearer {who.token}",
            "--checks", "all", "--exclude-checks", FORGIVEN, "--seed", str(seed), *arguments,
        ],
        cwd=folder, capture_output=True, text=True, check=False, timeout=3_000,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
            "AT_RANDOM_RESULTS": str(results),
            "AT_RANDOM_BASE_URL": base_url,
            "AT_RANDOM_OTHER_TOKEN": who.other_token,
            "AT_RANDOM_KNOWN": json.dumps(who.known),
            "AT_RANDOM_IS_TEST": "yes" if who.is_test else "",
        },
    )  # fmt: skip
    answers = json.loads(results.read_text("utf-8")) if results.exists() else {}
    return Run(Counter(answers), run.returncode != 0, run.stdout + run.stderr)


def table(answers: Counter[str]) -> str:
    """Operation by status, as a table that can be read in a terminal."""
    operations = sorted({label.rpartition(" ")[0] for label in answers})
    lines = [_line(TABLE_HEAD)]
    for operation in operations:
        counts = [
            sum(n for label, n in answers.items() if _is(label, operation, status))
            for status in TABLE_HEAD[1:]
        ]
        lines.append(_line((operation, *(str(count or "") for count in counts))))
    return "\n".join(lines)


def _is(label: str, operation: str, status: str) -> bool:
    asked, _, answered = label.rpartition(" ")
    return asked == operation and (answered == status or answered[0] + "xx" == status)


def _line(cells: tuple[str, ...]) -> str:
    return cells[0].ljust(56) + "".join(cell.rjust(6) for cell in cells[1:])


def good_answers(answers: Counter[str]) -> Counter[str]:
    """How many 2xx each operation gave."""
    counted: Counter[str] = Counter()
    for label, count in answers.items():
        operation, _, status = label.rpartition(" ")
        counted[operation] += count if status.startswith("2") else 0
    return counted
