"""The pages of `docs/api`, read: which section tells of which endpoint, and the fields it names.

A section begins with `## METHOD /path`. Under it `### Request`, `### Query`, `### Answer`, `### A
row` and `### Expanded` hold a table whose first column names fields in backticks.
"""

import re
from typing import Any, get_args, get_type_hints

import msgspec

from tests.tidy.house import ROOT

FOLDER = ROOT / "docs" / "api"
_SECTION = re.compile(r"^## ((?:GET|POST) /\S+)$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_PART = re.compile(r"^### ([\w ]+)$(.*?)(?=^###? |\Z)", re.MULTILINE | re.DOTALL)
_FIRST_COLUMN = re.compile(r"^\| (`[^|]+`) \|", re.MULTILINE)
_NAME = re.compile(r"`([^`]+)`")


class Section(msgspec.Struct, frozen=True):
    """What the pages say of one endpoint."""

    endpoint: str
    page: str
    parts: dict[str, str]
    """By their headings."""

    def fields(self, part: str) -> list[str]:
        """The fields that the table of a part names; those of `### Query` may stand in a text."""
        text = self.parts[part]
        columns = _FIRST_COLUMN.findall(text)
        return [name for column in columns or [text] for name in _NAME.findall(column)]


def list_sections() -> list[Section]:
    """Every section of every page but the contract's, which has no tables of fields."""
    pages = [page for page in sorted(FOLDER.glob("*.md")) if page.name != "contract.md"]
    return [
        Section(endpoint, page.name, dict(_PART.findall(text)))
        for page in pages
        for endpoint, text in _SECTION.findall(page.read_text(encoding="utf-8"))
    ]


def names_of(struct: type[msgspec.Struct]) -> set[str]:
    """The fields of a struct as they are on the wire: `portfolio.projects[].tons`."""
    hints = get_type_hints(struct)
    return {
        path
        for field in msgspec.structs.fields(struct)
        for path in _paths(field.encode_name, hints[field.name])
    }


def _paths(name: str, kind: Any) -> set[str]:
    inner, mark = _struct_in(kind)
    return {f"{name}{mark}.{path}" for path in names_of(inner)} if inner else {name}


def _struct_in(kind: Any) -> tuple[type[msgspec.Struct] | None, str]:
    """The struct that a field holds, and whether it holds a list of them."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind, ""
    for part in get_args(kind):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part, "[]" if getattr(kind, "__origin__", None) in (list, tuple) else ""
    return None, ""
