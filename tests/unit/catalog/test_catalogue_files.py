"""Catalogues as TOML files: read exactly, and refused with what to correct; the demo's own."""

import xml.etree.ElementTree as ElementTree
from importlib import resources
from pathlib import Path

import pytest

from fieldfare.catalog import rules
from fieldfare.catalog.errors import CatalogueRefused
from fieldfare.catalog.service import load_preset, preset_catalogue, read_preset

STATIC = Path(str(resources.files("fieldfare"))) / "web" / "static"

PARTNER = """
[[partners]]
id = 1
name = "Growers"
country = "TZ"
payout_currency = "USD"
payout_method = "bank_transfer"
"""
PROJECT = """
[[projects]]
id = 1
partner = 1
name = "Trees"
description = "Trees."
unit = "tonne"
price = 15.63
partner_share = 0.8
standing = "certified"
certification_status = "standard 2023"
methodology = "Counting"
vintage = "2025"
durability = "Decades"
risk_note = "Fire."
country = "TZ"
latitude = -3
longitude = 37.51
sdgs = [13]
"""
PORTFOLIO = """
[[portfolios]]
id = 2
name = "Trees"
description = "Trees."
is_default = true
weights = { 1 = 1 }
"""
WHOLE = PARTNER + PROJECT + PORTFOLIO


def test_a_file_is_read_exactly() -> None:
    rows = read_preset(WHOLE.encode())
    assert rows.prices[0].unit_price_micro == 1_563_000_000
    assert rows.projects[0].partner_share_ppm == 800_000
    assert rows.projects[0].latitude == -3.0
    assert rows.portfolios[0].weights[0].weight_ppm == 1_000_000
    rules.check_rows(rows)


def test_a_price_may_have_eight_decimals_and_no_more() -> None:
    fine = WHOLE.replace("15.63", "15.63000001")
    assert read_preset(fine.encode()).prices[0].unit_price_micro == 1_563_000_001
    with pytest.raises(CatalogueRefused, match=r"Project 1: price 15.630000001 is too fine.*8 dec"):
        read_preset(WHOLE.replace("15.63", "15.630000001").encode())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("15.63", "nan", "Project 1: price NaN is no number"),
        ("15.63", "1e400", "is no number"),
        ("15.63", "0.001", "Project 1: Expected `int` >= 1000000"),
        ("15.63", "-15.63", "Project 1: Expected `int` >= 1000000"),
        ("15.63", "10000.01", "Project 1: Expected `int` <= 1000000000000"),
        ("= 0.8", "= 0.69", "Project 1: Expected `int` >= 700000"),
        ("= 0.8", "= 0.96", "Project 1: Expected `int` <= 950000"),
        ("= 0.8", "= 0.8000001", "too fine"),
        ("1 = 1 }", "1 = 0 }", "Portfolio 2: Expected `int` >= 1"),
        ("1 = 1 }", "1 = 0.5, x = 0.5 }", "cannot be read"),
        ("-3", "-90.5", "latitude"),
        ("[13]", "[18]", "sdgs"),
        ('"certified"', '"gold"', "standing"),
        ('"tonne"', '"ton"', "unit"),
        ('"USD"', '"usd"', "payout_currency"),
        ("id = 2", "id = 1000", "<= 999"),
        ('"Decades"', '""', "durability"),
        ("methodology", "methodolgy", "unknown field `methodolgy`"),
        ('name = "Growers"', 'name = "Growers"\nunknown = 1', "unknown field"),
        ("[[partners]]", "[[partners", "cannot be read"),
        ("Growers", "\x00", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(old: str, new: str, reason: str) -> None:
    assert old in WHOLE
    with pytest.raises(CatalogueRefused, match=reason):
        read_preset(WHOLE.replace(old, new, 1).encode())


def test_a_file_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(CatalogueRefused, match="cannot be read"):
        read_preset(b'name = "\xff"')


@pytest.mark.parametrize(
    ("twice", "what"),
    [(PARTNER, "partner 1"), (PROJECT, "project 1"), (PORTFOLIO, "portfolio 2")],
)
def test_an_id_is_given_once(twice: str, what: str) -> None:
    with pytest.raises(CatalogueRefused, match=f"two of {what}"):
        read_preset((WHOLE + twice).encode())


def test_a_picture_is_ours_or_has_a_safe_address() -> None:
    for good in ("/static/projects/a.svg", "https://example.org/a.png"):
        read_preset(f'{PROJECT}image_url = "{good}"'.encode())
    for bad in ("http://example.org/a.png", "javascript:alert(1)", "//evil.example/a", "a.svg"):
        with pytest.raises(CatalogueRefused, match="image_url"):
            read_preset(f'{PROJECT}image_url = "{bad}"'.encode())


def test_the_demo_has_the_prices_that_examples_rely_on() -> None:
    catalogue = preset_catalogue()
    cost = {number: one.cost_per_ton_cents for number, one in catalogue.portfolios.items()}
    assert catalogue.default_portfolio_id == 12
    assert (cost[2], cost[21]) == (1563, 40_171)
    assert 1650 <= cost[1] <= 1750
    assert 1035 <= -(-cost[12] * 45 // 100) <= 1045
    assert 0.85 <= 2000 / cost[12] <= 0.87
    assert all(1200 <= cents <= 70_000 for number, cents in cost.items() if number != 21)


def test_the_demo_is_made_of_what_examples_name() -> None:
    catalogue = preset_catalogue()
    shares = {one.project.id: one.weight_ppm for one in catalogue.portfolios[21].parts}
    assert shares[18] == 209_900
    assert 6 <= len(catalogue.portfolios[12].parts) <= 8
    biochar = catalogue.projects[18]
    assert biochar.unit_price_micro == 24_286_000_000
    assert (biochar.standing, biochar.certification_status) == ("certified", "standard 2023")
    trees = catalogue.projects[catalogue.tree_provider_id or 0]
    assert trees.provider_name == "WeForest"
    assert 80_000_000 <= (trees.unit_price_micro or 0) <= 150_000_000


def test_the_demo_has_all_standings_and_donations() -> None:
    projects = preset_catalogue().projects.values()
    assert {one.standing for one in projects} == {"certified", "external_standard", "uncertified"}
    donations = {one.name for one in projects if one.unit == "none"}
    assert donations == {"Climate policy", "Forest conservation"}
    assert all(one.sdgs and one.methodology and one.risk_note for one in projects)


def test_the_demo_fits_together() -> None:
    rows = load_preset()
    rules.check_rows(rows)
    assert all(row.account_id is None for row in rows.portfolios)
    texts = [row.description for row in rows.projects]
    texts += [row.description for row in rows.portfolios]
    assert not [text for text in texts if "\n" in text or "  " in text]


def test_every_picture_of_the_demo_is_there_and_is_only_a_picture() -> None:
    rows = load_preset()
    paths = {row.image_url for row in rows.projects} | {row.image_url for row in rows.portfolios}
    assert None not in paths
    for path in sorted(filter(None, paths)):
        file = STATIC / path.removeprefix("/static/")
        content = file.read_bytes()
        assert len(content) < 6000, path
        root = ElementTree.fromstring(content)
        assert root.get("viewBox") == "0 0 1200 800", path
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not tags & {"script", "image", "foreignObject", "a", "style"}, path
        attributes = [item for element in root.iter() for item in element.attrib.items()]
        assert not [name for name, _ in attributes if name.startswith("on")], path
        links = [value for name, value in attributes if name.endswith("href")]
        assert not [link for link in links if not link.startswith("#")], path
