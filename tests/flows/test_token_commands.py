"""`fieldfare token` and `fieldfare account` as an operator uses them, down to their exit codes."""

import json
import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from fieldfare.cli.account import account_app
from fieldfare.cli.token import parse_duration, token_app
from fieldfare.http.auth import hash_token

app = typer.Typer(pretty_exceptions_enable=False)
app.add_typer(token_app, name="token")
app.add_typer(account_app, name="account")

UUID_TEXT = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
PASSWORD = "four words do well"


class Shell:
    """Runs commands on one database, from a folder of its own."""

    def __init__(self, database_url: str | None, home: Path) -> None:
        # None takes a variable away, whatever the environment of the test run holds.
        self.env = {
            "DATABASE_URL": database_url,
            "DATABASE_URL_FILE": None,
            "FIELDFARE_HOME": str(home),
        }

    def run(self, *words: object, given: str | None = None) -> str:
        """What a command that succeeds prints on stdout."""
        result = CliRunner().invoke(app, [str(word) for word in words], input=given, env=self.env)
        assert result.exit_code == 0, result.output
        self.stderr = result.stderr
        return result.stdout.rstrip("\n")

    def refused(self, *words: object, given: str | None = None) -> str:
        """The line on stderr of a command that is refused."""
        result = CliRunner().invoke(app, [str(word) for word in words], input=given, env=self.env)
        assert result.exit_code == 1, result.output
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("fieldfare: ")
        return line


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    """A shell on a fresh database."""
    return Shell(database_url, tmp_path)


def open_team(shell: Shell) -> tuple[str, str]:
    """The numbers of a user and of a team that the user owns."""
    user = shell.run("account", "open-user", "--name", "Ada", "--email", "ada@shop.org")
    team = shell.run(
        "account", "open-team", "--name", "Shop", "--owner", user, "--email", "pay@shop.org"
    )
    return user, team


def issue(shell: Shell, account: str, kind: str = "team_live", label: str = "Web shop") -> str:
    """A new token."""
    return shell.run("token", "issue", "--account", account, "--kind", kind, "--label", label)


def test_a_token_is_all_that_issue_prints_on_stdout(shell: Shell, database_url: str) -> None:
    _, team = open_team(shell)
    token = issue(shell, team)
    assert re.fullmatch(UUID_TEXT, token)
    assert "shown this once" in shell.stderr
    assert token not in shell.stderr
    with psycopg.connect(database_url) as conn:
        row = conn.execute("select sha256, label from accounts.token").fetchone()
    assert row == (hash_token(token), "Web shop")


def test_list_shows_every_token_but_none_itself(shell: Shell) -> None:
    _, team = open_team(shell)
    assert shell.run("token", "list", "--account", team) == ""
    assert "has no tokens yet" in shell.stderr
    tokens = [issue(shell, team), issue(shell, team, "team_test", "Tests")]
    listed = shell.run("token", "list", "--account", team)
    lines = listed.splitlines()
    assert len(lines) == 3
    assert all(word in lines[1] for word in ("team_test", tokens[1][-4:], "active", "Tests"))
    assert all(word in lines[2] for word in ("team_live", tokens[0][-4:], "active", "Web shop"))
    assert not any(token in listed for token in tokens)


def test_revoke_and_rotate_and_what_list_says_of_it(shell: Shell) -> None:
    _, team = open_team(shell)
    issue(shell, team, label="One")
    first = shell.run("token", "list", "--account", team).splitlines()[1].split()[0]
    assert first in shell.run("token", "revoke", first)
    assert "is revoked" in shell.refused("token", "rotate", first)

    issue(shell, team, label="Two")
    second = shell.run("token", "list", "--account", team).splitlines()[1].split()[0]
    rotated = shell.run("token", "rotate", second, "--overlap", "7d")
    assert re.fullmatch(UUID_TEXT, rotated)
    assert second in shell.stderr
    again = shell.refused("token", "rotate", second)
    third, old, oldest = shell.run("token", "list", "--account", team).splitlines()[1:]
    assert "rotated before" in again
    assert third.split()[0] in again
    assert "active" in third
    assert rotated[-4:] in third
    assert "replaced" in old
    assert "works until" in old
    assert "revoked" in oldest


def test_people_are_let_in(shell: Shell, database_url: str) -> None:
    user, team = open_team(shell)
    bob = shell.run("account", "open-user", "--name", "Bob", "--email", "bob@shop.org")
    shell.run("account", "add-member", "--team", team, "--user", bob, "--role", "developer")
    shell.run(
        "account", "add-password", "--user", user, "--email", "Ada@shop.org", given=f"{PASSWORD}\n"
    )
    shell.run("account", "add-identity", "--user", bob, "--kind", "google", "--subject", "g-1")
    shell.run("account", "make-operator", "--user", bob, "--role", "support")
    assert shell.run("account", "find", "SHOP").splitlines() == [
        f"    {user}  user  USD  Ada  ada@shop.org",
        f"    {team}  team  USD  Shop  pay@shop.org",
        f"    {bob}  user  USD  Bob  bob@shop.org",
    ]
    assert shell.run("account", "find", "nobody") == ""
    with psycopg.connect(database_url) as conn:
        kept = conn.execute(
            "select user_id, kind, subject from accounts.identity order by id"
        ).fetchall()
        operators = conn.execute("select user_id, role from accounts.operator").fetchall()
    assert kept == [(int(user), "password", "ada@shop.org"), (int(bob), "google", "g-1")]
    assert operators == [(int(bob), "support")]


def test_a_refusal_is_one_line_and_exit_code_1(shell: Shell) -> None:
    user, team = open_team(shell)
    in_vain = ("--kind", "team_live")
    assert "no account 9" in shell.refused("token", "issue", "--account", 9, *in_vain)
    assert "Account" in shell.refused("token", "issue", "--account", user, *in_vain)
    assert "no token" in shell.refused("token", "revoke", uuid4())
    assert "no account 9" in shell.refused("token", "list", "--account", 9)
    weak = ("account", "add-password", "--user", user, "--email", "a@b.de")
    assert "12 to 256" in shell.refused(*weak, given="short\n")
    assert "12 to 256" in shell.refused(*weak, given="")
    member = ("account", "add-member", "--team", team, "--user", user, "--role", "viewer")
    assert "already" in shell.refused(*member)
    token = issue(shell, team)
    listed = shell.run("token", "list", "--account", team).splitlines()[1].split()[0]
    assert "0 to 90 days" in shell.refused("token", "rotate", listed, "--overlap", "91d")
    assert token[:-4] not in shell.run("token", "list", "--account", team)


@pytest.mark.parametrize(
    "words",
    [
        ["token", "issue", "--account", "0", "--kind", "personal"],
        ["token", "issue", "--account", "99999999999999999999", "--kind", "personal"],
        ["token", "issue", "--account", "1001", "--kind", "root"],
        ["token", "revoke", "not-an-id"],
        ["token", "rotate", str(uuid4()), "--overlap", "soon"],
        ["account", "open-user", "--name", "Ada"],
    ],
)
def test_what_cannot_be_read_is_a_usage_error(tmp_path: Path, words: list[str]) -> None:
    result = CliRunner().invoke(app, words, env=Shell(None, tmp_path).env)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(days=1)),
        (" 7d ", timedelta(days=7)),
        ("0s", timedelta(0)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1.5h", "1h30m", "1w", "1234567s", "٣h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_duration(text)


@pytest.mark.parametrize(
    "command", [*token_app.registered_commands, *account_app.registered_commands]
)
def test_every_command_shows_an_example(command: typer.models.CommandInfo) -> None:
    group = "token" if command in token_app.registered_commands else "account"
    assert command.callback is not None
    assert command.name is not None
    assert f"Example: fieldfare {group} {command.name}" in (command.callback.__doc__ or "")
    result = CliRunner().invoke(app, [group, command.name, "--help"])
    assert result.exit_code == 0
    assert "Example:" in result.output


LIST = ("token", "list", "--account", "1001")


def test_the_running_demo_is_found(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text(json.dumps({"database_url": database_url, "pid": 1}))
    assert "no account 1001" in Shell(None, tmp_path).refused(*LIST)


def test_database_url_goes_before_the_demo(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text(json.dumps({"database_url": "postgresql://127.0.0.1:9/x"}))
    assert "no account 1001" in Shell(database_url, tmp_path).refused(*LIST)


def test_without_any_database_both_remedies_are_named(tmp_path: Path) -> None:
    line = Shell(None, tmp_path).refused(*LIST)
    assert "DATABASE_URL" in line
    assert "make up" in line
    assert str(tmp_path / "demo.json") in line


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"database_url": 5}', "\x00"])
def test_a_demo_file_that_tells_nothing_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "demo.json").write_text(content)
    assert "cannot be read" in Shell(None, tmp_path).refused(*LIST)


def test_a_setting_of_no_use_is_named(tmp_path: Path) -> None:
    assert "DATABASE_URL must" in Shell("mysql://localhost/x", tmp_path).refused(*LIST)


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    line = Shell("postgresql://u:secret@127.0.0.1:9/x", tmp_path).refused(*LIST)
    assert "cannot be reached" in line
    assert "secret" not in line


def test_an_empty_database_asks_to_be_migrated(
    server_url: str, database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("truncate alembic_version")
    assert "fieldfare migrate" in Shell(database_url, tmp_path).refused(*LIST)
