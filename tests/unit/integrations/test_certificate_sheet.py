"""What stands on a certificate: words, figures, and how much of it."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from fieldfare.integrations.typst import ShownCertificate, ShownProject, ShownRetirement
from fieldfare.integrations.typst.sheet import (
    NAME_CHARACTERS,
    PDF_PROJECTS,
    RETIREMENTS,
    Form,
    Sheet,
    lay_out,
    line,
)
from fieldfare.integrations.typst.words import CERTIFICATE_WORDS
from fieldfare.kernel.languages import Language
from tests.unit.integrations.certificates import PEATLAND, PILOT, a_certificate

LANGUAGES: list[Language] = ["en", "de", "fr", "es"]
MANY = tuple(
    ShownProject(name=f"Project {number}", mass_mg=number, standing="certified")
    for number in range(1, PDF_PROJECTS + 8)
)


def sheet_of(certificate: ShownCertificate, form: Form = "pdf") -> Sheet:
    return lay_out(certificate, form, qr="<svg/>")


def spaced(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("language", "mass", "trees", "day"),
    [
        ("en", "12.05", "1,200", "21 November 2026"),
        ("de", "12,05", "1.200", "21. November 2026"),
        ("fr", "12,05", "1 200", "21 novembre 2026"),
        ("es", "12,05", "1200", "21 de noviembre de 2026"),
    ],
)
def test_figures_and_days_are_written_as_in_the_language(
    language: Language, mass: str, trees: str, day: str
) -> None:
    sheet = sheet_of(a_certificate(language=language))
    assert [(spaced(f.value), spaced(f.unit)) for f in sheet.figures] == [
        (mass, " t CO₂e"),
        (trees, ""),
    ]
    assert [spaced(fact.value) for fact in sheet.facts] == [
        "FF-2026-004211", day, "Fieldfare Climate",
    ]  # fmt: skip


@pytest.mark.parametrize("language", ["de", "fr", "es"])
def test_every_language_has_its_own_words(language: Language) -> None:
    theirs = msgspec.structs.asdict(CERTIFICATE_WORDS[language])
    english = msgspec.structs.asdict(CERTIFICATE_WORDS["en"])
    assert [word for word, said in theirs.items() if said == english[word]] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_filled_in_is_the_same_in_every_language(language: Language) -> None:
    filled = {"has_funded": "{seller}", "retired": "{registry}", "vintage": "{vintage}",
              "more_projects": "{count}", "more_retirements": "{count}"}  # fmt: skip
    words = msgspec.structs.asdict(CERTIFICATE_WORDS[language])
    for word, blank in filled.items():
        assert blank in words[word], word
    assert "{page}" in words["page"]
    assert "{pages}" in words["page"]


def test_uncertified_projects_are_listed_apart_wherever_they_came() -> None:
    sheet = sheet_of(a_certificate(projects=(PILOT, PEATLAND)))
    assert [row.name.text for row in sheet.counted] == [PEATLAND.name]
    assert [row.name.text for row in sheet.apart] == [PILOT.name]
    assert sheet.counted[0].status.text == "Certified · standard 2023"
    assert sheet.counted[0].registry.text == "Retired in Gold Standard Impact Registry"
    assert sheet.counted[0].retirements[0].text == (
        "GS1-1-DE-GS11451-4-2023-24815-10231-16480 · vintage 2023"
    )
    assert spaced(sheet.counted[0].amount) == "6.25 t CO₂e"
    assert sheet.apart[0].status.text == "Not certified"


def test_a_registry_without_retirements_is_named_plainly() -> None:
    project = msgspec.structs.replace(PEATLAND, retirements=())
    sheet = sheet_of(a_certificate(projects=(project,)))
    assert sheet.counted[0].registry.text == "Gold Standard Impact Registry"


def test_a_project_of_both_tells_both_and_one_of_neither_tells_none() -> None:
    both = ShownProject(name="Both", mass_mg=1, trees=1, standing="certified")
    gift = ShownProject(name="Gift", standing="uncertified")
    sheet = sheet_of(a_certificate(projects=(both, gift), mass_mg=0, trees=0))
    assert spaced(sheet.counted[0].amount) == "0.000000001 t CO₂e\n1 tree"
    assert sheet.apart[0].amount == ""
    assert sheet.figures == []
    assert sheet.uncertified_note == ""


def test_one_tree_is_one_tree() -> None:
    sheet = sheet_of(a_certificate(mass_mg=0, trees=1))
    assert [(figure.value, figure.label) for figure in sheet.figures] == [("1", "tree funded")]


def test_there_is_an_end_to_what_is_shown() -> None:
    units = ShownRetirement(serial="S", vintage="")
    many = msgspec.structs.replace(PEATLAND, retirements=(units,) * (RETIREMENTS + 1_500))
    pages = sheet_of(a_certificate(projects=(many, *MANY)))
    assert len(pages.counted) == PDF_PROJECTS
    assert pages.more == "and 8 more projects"
    assert len(pages.counted[0].retirements) == RETIREMENTS + 1
    assert pages.counted[0].retirements[0].text == "S"
    assert pages.counted[0].retirements[-1].text == "and 1,500 more serial numbers"
    picture = sheet_of(a_certificate(), "png")
    assert [row.name.text for row in picture.counted + picture.apart][-1] == "Miombo Woodland"
    assert picture.more == "and 1 more project"
    assert len(sheet_of(a_certificate(purchaser="W" * 9_999)).purchaser.text) == NAME_CHARACTERS


@pytest.mark.parametrize(
    ("text", "shown", "rtl"),
    [
        ("Ada", "Ada", False),
        ("", "", False),
        ("2026 (שלום) Ada", "2026 (שלום) Ada", True),
        ("Ada שלום", "Ada שלום", False),
        ("شركة الطاقة", "شركة الطاقة", True),
        ("a\u202eb\u2066c\u200fd", "abcd", False),
        ("a\0b\nc\td\u2028e\ud800f", "a b c d e f", False),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧", False),
        ("q" + "\u0323" * 99 + "r", "q" + "\u0323" * 6 + "r", False),
        ("कि" * 3, "कि" * 3, False),
    ],
)
def test_a_name_stays_in_its_line_and_in_its_direction(text: str, shown: str, rtl: bool) -> None:
    assert (line(text).text, line(text).rtl) == (shown, rtl)


def test_it_is_dated_in_utc() -> None:
    in_kiribati = datetime(2027, 1, 1, 13, 59, tzinfo=timezone(timedelta(hours=14)))
    sheet = sheet_of(a_certificate(issued_at=in_kiribati))
    assert spaced(sheet.facts[1].value) == "31 December 2026"
    assert sheet == sheet_of(a_certificate(issued_at=in_kiribati.astimezone(UTC)))


@pytest.mark.parametrize(
    ("changed", "stamps"),
    [
        ({}, []),
        ({"is_sample": True}, ["SAMPLE"]),
        ({"state": "refunded"}, ["REFUNDED"]),
        ({"is_sample": True, "state": "replaced"}, ["SAMPLE", "REPLACED"]),
        ({"is_sample": True, "language": "fr"}, ["SAMPLE"]),
        ({"state": "refunded", "language": "de"}, ["ERSTATTET"]),
    ],
)
def test_what_proves_nothing_is_marked(changed: dict[str, object], stamps: list[str]) -> None:
    assert [mark.stamp for mark in sheet_of(a_certificate(**changed)).marks] == stamps
