"""What a process loads: no more than it needs, so that a command tells how it is called at once.

Times are printed (`pytest -s`) and never judged: a busy machine is no defect of ours.
"""

import ast
import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest

from fieldfare.cli.main import COMMANDS, load_command
from tests.tidy.house import SOURCE, modules

HEAVY = frozenset({
    "aiosql", "alembic", "argon2", "asyncpg", "httpx", "litestar", "pgqueuer", "prometheus_client",
    "psycopg", "sqlalchemy", "stripe", "structlog", "uvicorn", "uvloop",
})  # fmt: skip
ASK_FOR_HELP = """
import json, sys, time
from contextlib import redirect_stdout
from io import StringIO

began = time.perf_counter()
from fieldfare.cli.main import app, load_command
from typer.core import TyperGroup

def said_by(words):
    with redirect_stdout(StringIO()) as said:
        app([*words, "--help"], prog_name="fieldfare", standalone_mode=False)
    return said.getvalue()

def ask_inside(command, words):
    for name, inner in command.commands.items() if isinstance(command, TyperGroup) else ():
        said[" ".join([*words, name])] = said_by([*words, name])
        ask_inside(inner, [*words, name])

name = sys.argv[1]
said = {name: said_by([name])}
took_s = time.perf_counter() - began
ask_inside(load_command(name), [name])
print(json.dumps({"said": said, "took_s": took_s, "loaded": sorted(sys.modules)}))
"""
DOES_THE_WORK = (
    "fieldfare.app", "fieldfare.jobs", "fieldfare.cli.checks", "fieldfare.cli.demo",
    "fieldfare.cli.erasing", "fieldfare.cli.refunding", "fieldfare.cli.serving",
    "fieldfare.cli.exporting",
)  # fmt: skip
WORKER = ("fieldfare.jobs", "fieldfare.cli.scheduler")
OTHERS = ("uvloop", "fieldfare.db.migrate")
SETTING = frozenset({"typst", "segno"})
SETS_ONE = (
    "import asyncio, datetime; from fieldfare.integrations.typst import *;"
    " asyncio.run(Typesetter().png(ShownCertificate(number='1', language='en', purchaser='A',"
    " seller='B', mass_mg=1, trees=0, projects=(), verify_url='https://fieldfare.example/1',"
    " issued_at=datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC))))"
)
TAKES_THE_SDK = (
    "from fieldfare.integrations.stripe.gateway import open_gateway;"
    " open_gateway('sk_test_1', 'http://127.0.0.1:1')"
)


def tell(what: str, took_s: float) -> None:
    """A figure for whoever asks for it by `pytest -s`."""
    sys.stdout.write(f"{what}: {took_s:.2f} s\n")


def carried_out(program: str, *arguments: str) -> str:
    """What a program in a process of its own prints."""
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=SOURCE.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return run.stdout


def loaded_by(*imported: str, then: str = "pass") -> set[str]:
    """Every module that is loaded once these are, and `then` is done."""
    program = f"import sys, {', '.join(imported)}; {then}; print(*sys.modules)"
    return set(carried_out(program).split())


def libraries(loaded: set[str]) -> set[str]:
    """The packages that those modules are of."""
    return {module.partition(".")[0] for module in loaded}


@pytest.fixture(scope="module")
def asked() -> Mapping[str, Any]:
    """What every command says of itself, and what it had loaded by then."""
    return {name: json.loads(carried_out(ASK_FOR_HELP, name)) for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_loads_nothing_that_does_the_work(asked: Mapping[str, Any], name: str) -> None:
    answer = asked[name]
    tell(f"fieldfare {name} --help", answer["took_s"])
    assert libraries(set(answer["loaded"])) & HEAVY == set()
    for words, said in answer["said"].items():
        assert said.startswith(f"Usage: fieldfare {words} ")
        assert "Example: " in said or "COMMAND [ARGS]" in said, words


def test_what_is_heavy_is_known_by_its_name() -> None:
    """Each of them is loaded by what does the work."""
    works = loaded_by(*DOES_THE_WORK, *WORKER, *OTHERS, then=TAKES_THE_SDK)
    assert libraries(works) >= HEAVY


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_loads_no_other_command(asked: Mapping[str, Any], name: str) -> None:
    others = {where.partition(":")[0] for where, _ in COMMANDS.values()}
    others -= {COMMANDS[name][0].partition(":")[0]}
    assert others & set(asked[name]["loaded"]) == set()


def test_the_list_of_commands_loads_none() -> None:
    program = "import sys; sys.argv[1:] = ['--help']; from fieldfare.cli import main"
    program += "\ntry: main.main()\nexcept SystemExit: print(*sys.modules)"
    began = time.perf_counter()
    printed = carried_out(program)
    tell("fieldfare --help", time.perf_counter() - began)
    ours = {module for module in printed.split() if module.startswith("fieldfare")}
    own = ("fieldfare", "fieldfare.cli", "fieldfare.cli.ending", "fieldfare.cli.main")
    assert ours == set(own)
    for name in COMMANDS:
        assert re.search(rf"^  {name}  ", printed, re.MULTILINE), name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_it_says_of_itself(name: str) -> None:
    assert load_command(name).get_short_help_str(1_000) == COMMANDS[name][1]


def test_every_command_is_on_the_list() -> None:
    """A command's module opens with its name."""
    told = [
        ast.get_docstring(tree) or ""
        for module, tree in modules().items()
        if module.startswith("fieldfare.cli.")
    ]
    named = [re.match(r"`fieldfare ([a-z-]+)", text) for text in told]
    assert {match[1] for match in named if match} == set(COMMANDS)


def test_the_sdk_comes_with_the_first_gateway() -> None:
    assert "stripe" not in libraries(loaded_by(*DOES_THE_WORK))
    assert "stripe" in libraries(loaded_by(*DOES_THE_WORK, then=TAKES_THE_SDK))


def test_typst_comes_with_the_first_certificate() -> None:
    made = "fieldfare.integrations.typst.Typesetter()"
    assert libraries(loaded_by("fieldfare.integrations.typst", then=made)) & SETTING == set()
    assert libraries(loaded_by("fieldfare.integrations.typst", then=SETS_ONE)) >= SETTING


def test_a_worker_loads_no_web_framework() -> None:
    loaded = libraries(loaded_by(*WORKER))
    assert "pgqueuer" in loaded
    assert loaded & {"litestar", "uvicorn"} == set()


def test_the_api_loads_nothing_that_migrates_or_works() -> None:
    began = time.perf_counter()
    loaded = libraries(loaded_by("fieldfare.app", then="fieldfare.app.Lean([])"))
    tell("import fieldfare.app", time.perf_counter() - began)
    assert loaded & {"alembic", "pgqueuer", "psycopg", "pydantic", "sqlalchemy"} == set()


def test_what_tells_metrics_and_traces_is_loaded_by_who_does_so() -> None:
    loaded = libraries(loaded_by("fieldfare.cli.serving", *WORKER, "fieldfare.cli.processes"))
    assert loaded & {"prometheus_client", "opentelemetry"} == set()
