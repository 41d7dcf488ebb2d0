"""What `docs/api` says in words: of endpoints, of fields, of parameters, of codes and statuses."""

import re
from functools import cache

import msgspec

from tests.tidy.house import ROOT
from tests.tidy.pages import Section, list_sections

FOLDER = ROOT / "docs" / "api"
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_FIELD_ROW = re.compile(r"^\| (`[^|]+`) \|(?: [^|]+ \|)?? ([^|]+) \|$", re.MULTILINE)
_NAME = re.compile(r"`([^`]+)`")
_CODE_ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| (.+) \| (.+) \|$", re.MULTILINE)
_STATUS_ROW = re.compile(r"^\| (\d{3}(?:, \d{3})*) \| (.+) \|$", re.MULTILINE)


class Told(msgspec.Struct, frozen=True):
    """What the page of errors says of a code."""

    code: str
    status: int
    means: str
    remedy: str


def plain(text: str) -> str:
    """A text of a page as it stands alone: without links and line ends, as a sentence."""
    joined = " ".join(_LINK.sub(r"\1", text).split())
    return joined[:1].upper() + joined[1:]


@cache
def sections() -> dict[str, Section]:
    """The sections of all pages, by endpoint."""
    return {section.endpoint: section for section in list_sections()}


def intro(endpoint: str) -> str:
    """What stands under an endpoint's heading, before its parts and examples."""
    page = (FOLDER / sections()[endpoint].page).read_text(encoding="utf-8")
    after = page.partition(f"## {endpoint}\n")[2]
    text = re.split(r"^(?:#|```)", after, maxsplit=1, flags=re.MULTILINE)[0]
    return "\n\n".join(plain(part) for part in text.strip().split("\n\n") if part)


def fields(endpoint: str, part: str) -> dict[str, str]:
    """What a part's table says of each field, by its path."""
    return _table(sections()[endpoint].parts[part])


@cache
def list_parameters() -> dict[str, str]:
    """What the page of all lists says of their parameters."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    table = _table(re.split(r"^## ", text.partition("## Lists\n")[2], flags=re.MULTILINE)[0])
    return {name.removesuffix("[key]"): told for name, told in table.items()}


def _table(text: str) -> dict[str, str]:
    return {
        name: plain(told)
        for names, told in _FIELD_ROW.findall(text)
        for name in _NAME.findall(names)
    }


@cache
def codes() -> dict[str, Told]:
    """Every code that clients of the API can be told, in the order of the page of errors."""
    page = (FOLDER / "errors.md").read_text(encoding="utf-8")
    for_clients = page.partition("## The processor's and the operator's")[0]
    return {
        code: Told(code, int(status), plain(means), plain(remedy))
        for code, status, means, remedy in _CODE_ROW.findall(for_clients)
    }


@cache
def statuses() -> dict[int, str]:
    """What the page of errors says of each status."""
    page = (FOLDER / "errors.md").read_text(encoding="utf-8")
    return {
        int(status): plain(means)
        for several, means in _STATUS_ROW.findall(page)
        for status in several.split(", ")
    }
