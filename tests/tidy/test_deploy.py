"""`deploy/`: what a stranger starts Fieldfare with, held against the program that it starts."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fieldfare.cli.main import COMMANDS
from tests.tidy.house import ROOT, SOURCE, secret_settings

DEPLOY = ROOT / "deploy"
CONTAINERFILE = DEPLOY / "Containerfile"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
ANALYZE = shutil.which("systemd-analyze")
NOT_HERE = re.compile(r"is not executable: No such file or directory$")
"""The program is where it is installed, which is not here."""
SAFE_ENOUGH = 2.0
"""Of ten, by systemd's own scale; what is called OK ends at 4.9."""


class UnitFile(configparser.RawConfigParser):
    """Names keep their case."""

    def optionxform(self, optionstr: str) -> str:
        """A name as it is compared."""
        return optionstr


def unit(path: Path) -> configparser.RawConfigParser:
    """A unit, as far as an ini file is one."""
    parser = UnitFile(strict=False, allow_no_value=True)
    parser.read(path, encoding="utf-8")
    return parser


def files_of_deploy() -> list[Path]:
    return sorted(path for path in DEPLOY.rglob("*") if path.is_file())


def steps() -> list[tuple[str, str]]:
    """The instructions of the Containerfile, with their arguments on one line."""
    text = CONTAINERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_is_there(path: Path) -> None:
    program, command, *_ = unit(path)["Service"]["ExecStart"].split()
    assert Path(program).name == "fieldfare"
    assert command in COMMANDS


def test_every_setting_that_is_named_is_one() -> None:
    known = set(re.findall(r"FIELDFARE_[A-Z_]+", (SOURCE / "settings.py").read_text()))
    known |= {f"{name}_FILE" for name in known} | {"DATABASE_URL_FILE"}
    named = {
        name
        for path in files_of_deploy()
        for name in re.findall(r"(?:FIELDFARE|DATABASE_URL)_[A-Z_]+", path.read_text())
    }
    assert len(named) >= 8
    assert named - known == set()


def test_the_page_of_secrets_has_every_one() -> None:
    page = (ROOT / "docs" / "operating" / "secrets.md").read_text(encoding="utf-8")
    settings = secret_settings()
    assert "DATABASE_URL" in settings
    assert [name for name in settings if f"| `{name}` |" not in page] == []


def test_no_unit_has_a_secret_in_it() -> None:
    for path in files_of_deploy():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"sk_live|whsec_|postgresql://\S+:\S+@", text), path
    for path in UNITS:
        loaded = re.findall(r"^LoadCredential=([a-z-]+):", path.read_text(), re.MULTILINE)
        read = re.findall(r"^Environment=\w+_FILE=%d/([a-z-]+)$", path.read_text(), re.MULTILINE)
        assert sorted(loaded) == sorted(read), path


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not on this machine")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_and_little_exposed(path: Path) -> None:
    assert ANALYZE is not None
    checked = subprocess.run([ANALYZE, "verify", path], capture_output=True, text=True, check=False)
    said = [line for line in checked.stderr.splitlines() if not NOT_HERE.search(line)]
    assert [line for line in said if path.name in line] == []
    rated = subprocess.run(
        [ANALYZE, "security", "--offline=true", path], capture_output=True, text=True, check=True
    )
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated.stdout)
    assert exposure is not None
    assert float(exposure[1]) <= SAFE_ENOUGH


def test_what_the_image_copies_is_there() -> None:
    copied = [
        name
        for word, rest in steps()
        if word == "COPY" and not rest.startswith("--from")
        for name in rest.split()[:-1]
    ]
    assert copied == ["requirements.lock", "src", "migrations", "deploy/fieldfare"]
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_image_runs_as_nobody_special_from_a_lock_with_hashes() -> None:
    words = dict(steps())
    assert words["USER"].isdigit()
    assert int(words["USER"]) > 0
    installed = next(rest for word, rest in steps() if word == "RUN" and "pip" in rest)
    assert "--require-hashes" in installed
    assert {rest.split()[0] for word, rest in steps() if word == "FROM"} == {
        "python:3.11-slim-bookworm"
    }
    # What is started is what is exposed and asked whether it lives.
    assert words["EXPOSE"] in words["HEALTHCHECK"]
    assert words["ENTRYPOINT"] == '["fieldfare"]'
    assert words["CMD"].strip('[]"') in COMMANDS


def test_what_the_image_lays_out_starts(tmp_path: Path) -> None:
    """The folders as the steps lay them out, with this environment's packages; from elsewhere."""
    installed = tmp_path / "opt" / "fieldfare"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("src", "migrations"):
        shutil.copytree(ROOT / name, installed / name, ignore=ignore)
    (installed / "bin").mkdir()
    shutil.copy(DEPLOY / "fieldfare", installed / "bin" / "fieldfare")
    python = installed / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    for program in (python, installed / "bin" / "fieldfare"):
        program.chmod(0o755)
    (tmp_path / "fieldfare").symlink_to(installed / "bin" / "fieldfare")
    said = subprocess.run(
        [tmp_path / "fieldfare", "routes"],
        cwd="/",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "/api/offset-orders" in said.stdout


def test_a_proxy_believes_no_client_and_repeats_no_order() -> None:
    nginx = (DEPLOY / "proxy" / "nginx.conf").read_text(encoding="utf-8")
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    assert "proxy_next_upstream off;" in nginx
    caddy = (DEPLOY / "proxy" / "Caddyfile").read_text(encoding="utf-8")
    assert "header_up X-Forwarded-For {remote_host}" in caddy
    assert "lb_retries 0" in caddy


def test_a_proxy_answers_nothing_of_the_api_in_clear() -> None:
    nginx = (DEPLOY / "proxy" / "nginx.conf").read_text(encoding="utf-8")
    assert "location /api/ { return 403; }" in nginx
    caddy = (DEPLOY / "proxy" / "Caddyfile").read_text(encoding="utf-8")
    in_clear = caddy[caddy.index("\nhttp://") :].split()
    # Caddy sorts directives: beside a `redir`, a `respond` would come too late.
    assert "handle /api/* { respond 403 } handle { redir" in " ".join(in_clear)
