"""`fieldfare catalog` as an operator uses it, down to its exit codes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from fieldfare.cli.main import app


class Shell:
    """Runs `fieldfare catalog` on one database."""

    def __init__(self, database_url: str, home: Path) -> None:
        self.database_url = database_url
        self.env = {
            "DATABASE_URL": database_url,
            "DATABASE_URL_FILE": None,
            "FIELDFARE_HOME": str(home),
        }
        self.home = home
        self.warnings = ""

    def run(self, *words: object) -> str:
        """What a command that succeeds prints on stdout; its stderr is kept in `warnings`."""
        result = CliRunner().invoke(app, ["catalog", *map(str, words)], env=self.env)
        assert result.exit_code == 0, result.output
        self.warnings = result.stderr
        return result.stdout.rstrip("\n")

    def refused(self, *words: object) -> str:
        """The line on stderr of a command that is refused."""
        result = CliRunner().invoke(app, ["catalog", *map(str, words)], env=self.env)
        assert result.exit_code == 1, result.output
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("fieldfare: ")
        return line

    def example(self) -> Path:
        """A file with the example catalogue."""
        file = self.home / "catalogue.toml"
        file.write_text(self.run("example") + "\n", encoding="utf-8")
        return file


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    """A shell on a fresh database."""
    return Shell(database_url, tmp_path)


def test_the_example_is_imported_once_and_listed(shell: Shell) -> None:
    file = shell.example()
    told = "Revision 1 of the catalogue: 13 partners, 13 projects, 9 portfolios, 11 prices written."
    assert shell.run("import", file, "--by", "ada") == told
    assert shell.run("import", file) == "Nothing to do: the catalogue is as the file says."
    listed = shell.run("list").splitlines()
    assert "    12       23.11  Wren Climate Fund  (default)" in listed
    assert "    21      401.71  Trailblazer" in listed
    assert any("242.86  tonne  certified" in line for line in listed)
    with psycopg.connect(shell.database_url) as conn:
        made = conn.execute("select made_by, reason from catalog.revision").fetchall()
    assert made == [("ada", "import of catalogue.toml")]


def test_a_price_in_a_file_is_not_a_change_of_price(shell: Shell) -> None:
    file = shell.example()
    shell.run("import", file)
    file.write_text(file.read_text(encoding="utf-8").replace("= 242.86", "= 250"), encoding="utf-8")
    assert shell.run("import", file) == "Nothing to do: the catalogue is as the file says."
    assert shell.warnings.startswith("Project 18 keeps its price, the file says 250: set that")


def test_a_price_is_set_ahead(shell: Shell) -> None:
    shell.run("import", shell.example())
    told = shell.run("price", "set", 18, "251.40", "--at", "2099-01-01T01:00:00+01:00")
    assert told == "Project 18 costs 251.4 from 2099-01-01T00:00:00.000Z on."
    listed = shell.run("list")
    assert "The next price takes effect at 2099-01-01T00:00:00.000Z." in listed
    assert "242.86" in listed


@pytest.mark.parametrize(
    ("price", "at", "reason"),
    [
        ("251.40", "tomorrow", "no instant"),
        ("251.40", "2099-01-01T00:00:00", "no time zone"),
        ("dear", "2099-01-01T00:00:00Z", "no price"),
        ("NaN", "2099-01-01T00:00:00Z", "no number"),
        ("1.123456789", "2099-01-01T00:00:00Z", "too fine"),
        ("10000.01", "2099-01-01T00:00:00Z", "from 0.01 to 10000"),
        ("251.40", "2020-01-01T00:00:00Z", "at least 5 seconds ahead"),
    ],
)
def test_a_price_that_cannot_be_is_one_line(shell: Shell, price: str, at: str, reason: str) -> None:
    shell.run("import", shell.example())
    assert reason in shell.refused("price", "set", 18, price, "--at", at)


def test_a_price_just_ahead_is_refused_by_the_clock(shell: Shell) -> None:
    shell.run("import", shell.example())
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    assert "at least 5 seconds ahead" in shell.refused("price", "set", 18, 251, "--at", soon)


def test_a_project_that_is_not_there_is_named(shell: Shell) -> None:
    line = shell.refused("price", "set", 18, 251, "--at", "2099-01-01T00:00:00Z")
    assert "There is no project 18." in line


def test_a_file_that_cannot_be_used_is_one_line(shell: Shell) -> None:
    assert "cannot be read" in shell.refused("import", shell.home / "nowhere.toml")
    file = shell.home / "wrong.toml"
    file.write_text("[[projects]]\nid = 1\n", encoding="utf-8")
    assert "missing required field" in shell.refused("import", file)
    assert shell.run("list").splitlines() == ["Projects", "Portfolios, by the tonne"]
