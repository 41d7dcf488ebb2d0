"""What the tidy tests know of the house: its folders, its stack of features, its named queries.

The stack is read from `.importlinter`, so there is one list of what lies below what. Queries are
loaded as the product loads them.
"""

import ast
import configparser
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

from fieldfare.db.queries import load_queries

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "fieldfare"
VERSIONS = ROOT / "migrations" / "versions"
DECIDES = ("model", "rules", "errors")
FEATURE_FILES = (*DECIDES, "store", "service", "schemas", "api", "jobs")


class NamedQuery(msgspec.Struct, frozen=True, order=True):
    """One query of a `.sql` file: feature, name, and text with `$n` for its parameters."""

    feature: str
    name: str
    sql: str

    @property
    def full_name(self) -> str:
        """Feature and name: `ledger.find_wallet`."""
        return f"{self.feature}.{self.name}"


@cache
def stack() -> tuple[tuple[str, ...], ...]:
    """The layers of the house, top to bottom; neighbours share one."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter", encoding="utf-8")
    lines = contracts["importlinter:contract:stack"]["layers"].split("\n")
    return tuple(tuple(re.findall(r"\w+", line)) for line in lines if line.strip())


def below(part: str) -> set[str]:
    """Everything that lies below a part of the house."""
    place = next(i for i, layer in enumerate(stack()) if part in layer)
    return {name for layer in stack()[place + 1 :] for name in layer}


def features() -> list[str]:
    """The folders that own a business, by the files that only such folders have."""
    return sorted(
        folder.name
        for folder in SOURCE.iterdir()
        if any(_has_module(folder, name) for name in ("model", "store", "rules"))
    )


def _has_module(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()


def query_files() -> list[Path]:
    """Every file of named queries of the product."""
    return sorted(SOURCE.rglob("*.sql"))


@cache
def named_queries() -> tuple[NamedQuery, ...]:
    """Every named query of the product."""
    return tuple(sorted(query for file in query_files() for query in queries_in(file)))


def queries_in(file: Path) -> Iterator[NamedQuery]:
    """The queries of one file, loaded as for a module of its name."""
    loaded = load_queries(str(file.with_suffix(".py")))
    for name in loaded.available_queries:
        # aiosql adds a second method for each query of many rows.
        if name.endswith("_cursor") and name.removesuffix("_cursor") in loaded.available_queries:
            continue
        yield NamedQuery(file.relative_to(SOURCE).parts[0], name, getattr(loaded, name).sql)


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the product by its dotted name, parsed."""
    return {
        dotted(path): ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        for path in sorted(SOURCE.rglob("*.py"))
    }


def dotted(path: Path) -> str:
    """The dotted name of the module in a file."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def secret_settings() -> list[str]:
    """The variables whose values are secrets, each of which may be a file: those read as such."""
    return [
        name.value
        for call in ast.walk(modules()["fieldfare.settings"])
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "_secret"
        for name in call.args
        if isinstance(name, ast.Constant) and isinstance(name.value, str)
    ]
