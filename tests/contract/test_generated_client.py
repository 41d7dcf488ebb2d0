"""A Python client that a public generator makes of the description, and an order placed with it.

The generator stands in an environment of its own beside ours (`generator/requirements.lock`); it is
made once for each lock, so only the first run needs a package registry.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fieldfare.web.reference import DESCRIPTION
from tests.support.client import Api

HERE = Path(__file__).parent / "generator"
LOCK = HERE / "requirements.lock"
ORDER_CENTS = 1040
"""Of 0.45 t of the default portfolio."""


def run(*command: str | Path) -> str:
    """What a program prints; it has to end well."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def generator() -> Path:
    """The folder of the programs of the generator's environment."""
    lock_sum = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    home = Path(sys.prefix) / "generator"
    stamp = home / "lock"
    with alone(Path(sys.prefix) / "generator.flock"):
        if not (stamp.exists() and stamp.read_text(encoding="utf-8") == lock_sum):
            shutil.rmtree(home, ignore_errors=True)
            run(sys.executable, "-m", "venv", home)
            run(
                home / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input",
                "--disable-pip-version-check", "--root-user-action=ignore", "--no-compile",
                "--require-hashes", "-r", LOCK,
            )  # fmt: skip
            stamp.write_text(lock_sum, encoding="utf-8")
    return home / "bin"


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """While nobody else of this machine is."""
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def client(generator: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the client lies as the package `fieldfare_client`."""
    folder = tmp_path_factory.mktemp("client")
    said = run(
        generator / "openapi-python-client", "generate", "--path", DESCRIPTION,
        "--config", HERE / "config.yml", "--meta", "none", "--fail-on-warning",
        "--output-path", folder / "fieldfare_client",
    )  # fmt: skip
    assert "Warning" not in said
    return folder


def test_it_places_an_order(generator: Path, client: Path, api: Api) -> None:
    before = api.balance()
    told = json.loads(
        run("env", f"PYTHONPATH={client}", generator / "python", HERE / "place_order.py",
            api.base_url, api.world.live_token)
    )  # fmt: skip
    assert told == {
        "amountCharged": ORDER_CENTS,
        "projects": told["projects"],
        "formCharged": ORDER_CENTS,
        "state": "paid",
        "notes": ["From a client", "None"],
        "refused": "insufficient_credits",
    }
    assert sum(told["projects"]) == ORDER_CENTS
    assert api.balance() == before - 2 * ORDER_CENTS


def test_it_has_a_function_for_every_operation(client: Path) -> None:
    modules = {path.stem for path in client.glob("fieldfare_client/api/*/*.py")} - {"__init__"}
    operations = {
        operation["operationId"]
        for item in json.loads(DESCRIPTION.read_text(encoding="utf-8"))["paths"].values()
        for operation in item.values()
    }
    assert {name.replace("_", "") for name in modules} == {name.lower() for name in operations}
