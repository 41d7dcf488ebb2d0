"""What the template sets: every word and figure of a certificate as text, in the order it stands.

What must hold: names stay in their line and within their length, and what a certificate may hold
has an upper bound, so that no certificate takes long to set.
"""

import unicodedata
from collections.abc import Iterable
from datetime import UTC
from decimal import Decimal
from typing import Literal

import msgspec

from fieldfare.integrations.typst.model import ShownCertificate, ShownProject
from fieldfare.integrations.typst.words import CERTIFICATE_WORDS, CertificateWords
from fieldfare.kernel.formats import day, number, tonnes, trees
from fieldfare.kernel.languages import Language
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.text import shown_in_line

Form = Literal["pdf", "png"]

NAME_CHARACTERS = 200
SERIAL_CHARACTERS = 120
MARKS_IN_A_ROW = 6
"""Burmese needs as many on one letter; more would run through the lines above and below."""
PDF_PROJECTS = 100
PNG_PROJECTS = 3
RETIREMENTS = 10
"""Of one project; the others are counted."""
SAMPLE = "SAMPLE"
"""In every language, as the interface calls it."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Text of somebody's, and whether it begins from the right."""

    text: str
    rtl: bool


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A number that the certificate is about."""

    value: str
    unit: str = ""
    """With the blank before it."""
    label: str


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A label and what it labels."""

    label: str
    value: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One project."""

    name: Line
    status: Line
    registry: Line
    retirements: list[Line]
    amount: str


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What is written across a certificate that proves nothing, or nothing any more."""

    kind: Literal["sample", "refunded", "replaced"]
    stamp: str
    note: str


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """All that the template is given."""

    form: Form
    language: Language
    title: str
    certifies: str
    purchaser: Line
    has_funded: str
    figures: list[Figure]
    projects: str
    counted: list[Row]
    uncertified: str
    uncertified_note: str
    """Empty where there are no tonnes for it to tell of."""
    apart: list[Row]
    more: str
    """How many projects are not shown; empty if all are."""
    seller: Line
    facts: list[Fact]
    """What stands at the foot."""
    verify: str
    verify_url: str
    qr: str
    """An SVG."""
    page: str
    marks: list[Mark]


def lay_out(certificate: ShownCertificate, form: Form, *, qr: str) -> Sheet:
    """The sheet of a certificate in one form, with the SVG that leads to its `verify_url`."""
    words = CERTIFICATE_WORDS[certificate.language]
    seller = line(certificate.seller)
    shown = _shown_projects(certificate.projects, PDF_PROJECTS if form == "pdf" else PNG_PROJECTS)
    rows = [(project, _row(project, certificate.language)) for project in shown]
    return Sheet(
        form=form,
        language=certificate.language,
        title=words.title,
        certifies=words.certifies,
        purchaser=line(certificate.purchaser),
        has_funded=words.has_funded.format(seller=seller.text),
        figures=list(_figures(certificate, words)),
        projects=words.projects,
        counted=[row for project, row in rows if project.standing != "uncertified"],
        uncertified=words.uncertified,
        uncertified_note=words.uncertified_note if certificate.mass_mg else "",
        apart=[row for project, row in rows if project.standing == "uncertified"],
        more=_more(len(certificate.projects) - len(shown), words, certificate.language),
        seller=seller,
        facts=list(_facts(certificate, words)),
        verify=words.verify,
        verify_url=certificate.verify_url,
        qr=qr,
        page=words.page,
        marks=list(_marks(certificate, words)),
    )


def line(text: str, max_characters: int = NAME_CHARACTERS) -> Line:
    """A text of somebody's, cut to its length; its first letter tells where it begins."""
    shown = shown_in_line(text, max_characters)
    if not shown.isascii():
        shown = "".join(_unstacked(shown))
    strong = (unicodedata.bidirectional(character) for character in shown)
    first = next((kind for kind in strong if kind in {"L", "R", "AL"}), "L")
    return Line(text=shown, rtl=first != "L")


def _unstacked(text: str) -> Iterable[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if marks <= MARKS_IN_A_ROW:
            yield character


def _shown_projects(projects: Iterable[ShownProject], most: int) -> list[ShownProject]:
    # A stable order: those that count come before those that are listed apart.
    ordered = sorted(projects, key=lambda project: project.standing == "uncertified")
    return ordered[:most]


def _figures(certificate: ShownCertificate, words: CertificateWords) -> Iterable[Figure]:
    language = certificate.language
    if certificate.mass_mg:
        tons = tonnes_from_mg(certificate.mass_mg)
        value = number(tons, language)
        unit = tonnes(tons, language).removeprefix(value)
        yield Figure(value=value, unit=unit, label=words.mass)
    if certificate.trees:
        label = words.tree if certificate.trees == 1 else words.trees
        yield Figure(value=number(Decimal(certificate.trees), language), label=label)


def _row(project: ShownProject, language: Language) -> Row:
    words = CERTIFICATE_WORDS[language]
    label = line(project.certification_status).text
    standing = words.standings[project.standing]
    registry = line(project.registry).text
    return Row(
        name=line(project.name),
        status=line(f"{standing} · {label}" if label else standing, 2 * NAME_CHARACTERS),
        registry=line(
            _registry(registry, words, is_retired=bool(project.retirements)), 2 * NAME_CHARACTERS
        ),
        retirements=list(_retirements(project, words, language)),
        amount=_amount(project, language),
    )


def _registry(registry: str, words: CertificateWords, *, is_retired: bool) -> str:
    return words.retired.format(registry=registry) if registry and is_retired else registry


def _retirements(
    project: ShownProject, words: CertificateWords, language: Language
) -> Iterable[Line]:
    for units in project.retirements[:RETIREMENTS]:
        vintage = words.vintage.format(vintage=units.vintage) if units.vintage else ""
        serial = shown_in_line(units.serial, SERIAL_CHARACTERS)
        yield line(" · ".join(filter(None, (serial, vintage))))
    more = len(project.retirements) - RETIREMENTS
    if more > 0:
        yield line(words.more_retirements.format(count=number(Decimal(more), language)))


def _amount(project: ShownProject, language: Language) -> str:
    mass = tonnes(tonnes_from_mg(project.mass_mg), language) if project.mass_mg else ""
    count = trees(project.trees, language) if project.trees else ""
    return "\n".join(filter(None, (mass, count)))


def _more(count: int, words: CertificateWords, language: Language) -> str:
    if count <= 0:
        return ""
    pattern = words.more_project if count == 1 else words.more_projects
    return pattern.format(count=number(Decimal(count), language))


def _facts(certificate: ShownCertificate, words: CertificateWords) -> Iterable[Fact]:
    issued_on = certificate.issued_at.astimezone(UTC).date()
    yield Fact(label=words.number, value=line(certificate.number).text)
    yield Fact(label=words.issued_on, value=day(issued_on, certificate.language))
    yield Fact(label=words.issued_by, value=line(certificate.seller).text)


def _marks(certificate: ShownCertificate, words: CertificateWords) -> Iterable[Mark]:
    if certificate.is_sample:
        yield Mark(kind="sample", stamp=SAMPLE, note=words.sample_note)
    if certificate.state == "refunded":
        yield Mark(kind="refunded", stamp=words.refunded, note=words.refunded_note)
    if certificate.state == "replaced":
        yield Mark(kind="replaced", stamp=words.replaced, note=words.replaced_note)
