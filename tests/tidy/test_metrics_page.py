"""Every metric is told of on its page, and whatever asks for one asks for one that there is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from fieldfare.cli.exposition import expose
from fieldfare.settings import Settings
from fieldfare.telemetry.families import COUNTED, FAMILIES, ROLE, STORED, WATCHED
from fieldfare.telemetry.meters import Counter, Histogram
from fieldfare.telemetry.snapshots import Ended, Seen
from tests.tidy.house import ROOT

PAGE = ROOT / "docs" / "operating" / "metrics.md"
RULES = ROOT / "deploy" / "prometheus" / "fieldfare.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "fieldfare.json"
ROW = re.compile(r"^\| `(fieldfare_\w+)` \| (\w+) \| ([^|]*) \|", re.MULTILINE)
NAME = re.compile(r"\bfieldfare_\w+")
SELECTOR = re.compile(r"(fieldfare_\w+)\{([^}]*)\}")
BY = re.compile(r"\bby \(([^)]*)\)")
TEMPLATE = re.compile(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}")
UNITS = ("_total", "_seconds", "_info")
PARTS = ("_bucket", "_count", "_sum")


def labels_of() -> dict[str, tuple[str, ...]]:
    """The labels of every family, as they are exposed."""
    return {one.name: (*one.labels, *([ROLE] if one in WATCHED else ())) for one in FAMILIES}


def types_of() -> dict[str, str]:
    """What each family is."""
    kinds = {Counter: "counter", Histogram: "histogram"}
    return {one.name: kinds.get(type(one), "gauge") for one in FAMILIES}


def family_of(name: str) -> str:
    """The family of a sample: of a histogram's `_bucket`, the histogram."""
    for part in PARTS:
        stem = name.removesuffix(part)
        if stem != name and types_of().get(stem) == "histogram":
            return stem
    return name


def rules() -> list[dict[str, Any]]:
    """The example alerts."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """What the dashboard draws."""
    drawn = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [panel for panel in drawn if panel["type"] != "row"]


def queries() -> list[tuple[str, str, str]]:
    """Every query of the alerts and of the dashboard: whose, what it asks, and what it names."""
    asked = [(rule["alert"], rule["expr"], str(rule["annotations"])) for rule in rules()]
    return asked + [
        (panel["title"], target["expr"], target["legendFormat"])
        for panel in panels()
        for target in panel["targets"]
    ]


def test_the_page_tells_of_every_family_and_of_no_other() -> None:
    told = {
        name: (kind, tuple(sorted(re.findall(r"`(\w+)`", labels))))
        for name, kind, labels in ROW.findall(PAGE.read_text(encoding="utf-8"))
    }
    assert told == {
        name: (kind, tuple(sorted(labels_of()[name]))) for name, kind in types_of().items()
    }


def test_every_family_is_exposed_with_its_type_though_nothing_has_happened() -> None:
    nothing = Seen(living=[], ended=Ended())
    page, content_type = expose(nothing, None, Settings(), "")
    told = {family.name: family.type for family in text_string_to_metric_families(page.decode())}
    assert told == {name.removesuffix("_total"): kind for name, kind in types_of().items()}
    assert content_type.startswith("text/plain; version=")


def test_names_keep_to_the_conventions() -> None:
    for meter in COUNTED:
        assert meter.name.endswith("_total") == isinstance(meter, Counter), meter.name
    for one in FAMILIES:
        assert one.about.endswith("."), one.name
        # Prometheus writes the names of what it scrapes there, in the place of ours.
        assert not {"job", "instance", "le"} & set(one.labels), one.name
        is_time = any(word in one.name for word in ("duration", "wait_", "oldest", "silent"))
        assert not is_time or one.name.endswith(UNITS), one.name


@pytest.mark.parametrize(("whose", "query", "words"), queries())
def test_a_query_asks_for_what_there_is(whose: str, query: str, words: str) -> None:
    named = {family_of(name) for name in NAME.findall(query)}
    assert named, whose
    assert named <= set(labels_of())
    labels = {label for name in named for label in labels_of()[name]}
    asked = [label.strip() for group in BY.findall(query) for label in group.split(",")]
    assert set(asked) <= labels | {"le"}
    for name, inside in SELECTOR.findall(query):
        of_this = labels_of()[family_of(name)]
        assert set(re.findall(r"(\w+)[=!]", inside)) <= set(of_this)
    assert set(TEMPLATE.findall(words)) <= labels | {"value"}


@pytest.mark.parametrize(("whose", "query", "words"), queries())
def test_what_every_machine_reads_from_one_database_is_not_added_up(
    whose: str, query: str, words: str
) -> None:
    """One stands for all: the largest, or for what runs out the smallest."""
    for one in STORED:
        for place in re.finditer(rf"\b{one.name}\b", query):
            before = query[: place.start()]
            assert re.search(r"(max|min)( by \([^)]*\))? ?\($", before), (whose, query)


def test_every_alert_says_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "do"}, rule["alert"]
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)


def test_the_page_links_to_what_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for path in (RULES, DASHBOARD):
        assert Path(path).name in text
