"""Certificates as they are handed out, read back: every script, every length, nothing evaluated."""

import io
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
import typst
from PIL import Image, ImageChops

from fieldfare.integrations.typst import ShownProject, ShownRetirement, Typesetter
from fieldfare.integrations.typst.rendering import FONTS, TEMPLATES
from fieldfare.integrations.typst.sheet import lay_out
from fieldfare.kernel.languages import Language
from tests.unit.integrations.certificates import (
    VERIFY_URL,
    a_certificate,
    missing_glyphs_of,
    opened,
    picture_of,
    pictures_of_pages,
    qr_codes_of,
    text_of,
)

NAMES = [
    "Bäckerei Grün & Søn, Łódź ẞ Ðorđević Nguyễn",
    "Ελληνική Εταιρεία Περιβάλλοντος ἄνθρωπος",
    "Общество охраны природы «Лес» Ґанок Ђорђе",
    "株式会社緑の森エネルギー 绿色能源 綠色 한국환경공단 𠮷野 髙﨑",
    "हरित ऊर्जा प्राइवेट लिमिटेड, क्षत्रिय",
    "🌳 Team 👩🏽\u200d🌾 👨\u200d👩\u200d👧\u200d👦 🇩🇪 🏳️\u200d🌈 ❤️",
    "شركة الطاقة الخضراء المتجددة",
    "אגודת היער הירוק",
    "பசுமை ஆற்றல்",
    "მწვანე ენერგია Կանաչ էներգիա",
    "★ Nord ☘ → ∑ ½ © ™ № ♻",
]
ALSO_LEGIBLE = (
    "บริษัท พลังงานสีเขียว จำกัด", "সবুজ শক্তি লিমিটেড", "ਹਰੀ ਊਰਜਾ ક્ષિતિજ ఆకుపచ్చ ಹಸಿರು പച്ച",
    "අරණ", "အစိမ်း ໂຮງ ព្រៃ ኃይል ދިވެހި ଶକ୍ତି",
)  # fmt: skip
"""Their letters are drawn as other glyphs than they are written with, which cannot be read back."""
INJECTIONS = [
    '#eval("1+1")', "#panic()", "$x^2$ $ sum $", "{{7*7}}", "${7*7}", "<svg/onload=alert(1)>",
    "\\u{41} \\n \\\\", '#read("/etc/passwd")', '#image("../fonts/Twemoji.ttf")', "*b* _i_ `c` ~",
    "= Title", "- item", "/ a: b", "@label <label>", "// none", "/* none */", "#import \"@x/y:1\"",
    "'; DROP TABLE x; --", '"quoted" \'text\' -- ---', "https://evil.example", "%s %n {0}", "&amp;",
    '{"a":1}', "]#[", "\"));#sys", "../../etc/passwd", "#set page(width:1pt)", "~/.ssh", "a\u2060b",
]  # fmt: skip
EVERY_LETTER = [
    (0x20, 0x250), (0x370, 0x3E2), (0x3F0, 0x530), (0x5D0, 0x5EB), (0x621, 0x64B), (0x904, 0x940),
    (0x1E00, 0x2000), (0x3041, 0x3100),
]  # fmt: skip
EVERY_FIFTIETH = [
    (0x3400, 0x4DB5), (0x4E00, 0x9FEF), (0xAC00, 0xD7A4), (0x1F300, 0x1F5A4), (0x1F600, 0x1F650),
]  # fmt: skip
QR = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/>"
PAPER = (0xFD, 0xFC, 0xF8)
NEVER_IN_A_FONT = "\U00012000"
"""A cuneiform sign, which nobody's name has."""


@pytest.fixture(scope="module")
def typesetter() -> Typesetter:
    return Typesetter()


def letters() -> str:
    """Of each block that names are written in, every letter or every fiftieth."""
    points = [point for first, end in EVERY_LETTER for point in range(first, end)]
    points += [point for first, end in EVERY_FIFTIETH for point in range(first, end, 50)]
    return "".join(
        letter for letter in map(chr, points) if unicodedata.category(letter)[0] not in "CZM"
    )


def in_names(text: str) -> Iterator[ShownProject]:
    for at in range(0, len(text), 200):
        yield ShownProject(name=text[at : at + 200], trees=1, standing="certified")


def differ_at(one: Image.Image, other: Image.Image) -> tuple[int, int, int, int] | None:
    return ImageChops.difference(one, other).getbbox()


def test_no_font_is_missing_and_none_is_forgotten(typesetter: Typesetter) -> None:
    sheet = lay_out(a_certificate(is_sample=True), "pdf", qr=QR)
    inputs = {"sheet": msgspec.json.encode(sheet).decode()}
    _, warnings = typesetter.compiler.compile_with_warnings(sys_inputs=inputs)
    assert [warning.message for warning in warnings] == []
    template = (TEMPLATES / "certificate.typ").read_text(encoding="utf-8")
    families = typst.Fonts(False, False, [FONTS]).families()
    assert len(families) == 27
    assert [
        f
        for f in families
        if f'"{f.removeprefix("Noto Sans ")}"' not in template and f'"{f}"' not in template
    ] == []


async def test_names_of_every_script_can_be_read(typesetter: Typesetter) -> None:
    names = (*NAMES, *ALSO_LEGIBLE)
    projects = tuple(ShownProject(name=name, trees=1, standing="certified") for name in names)
    pdf = await typesetter.pdf(a_certificate(projects=projects, purchaser=NAMES[3]))
    written = _letters(text_of(pdf))
    for word in " ".join(NAMES).split():
        assert _letters(unicodedata.normalize("NFC", word)) in written, word
    assert missing_glyphs_of(pdf) == 0


def _letters(text: str) -> str:
    """Without the marks: some stand before the letter that they are written after."""
    return "".join(c for c in text if unicodedata.category(c)[0] not in "MC")


async def test_our_fonts_have_every_letter_that_names_are_written_in(
    typesetter: Typesetter,
) -> None:
    every = await typesetter.pdf(a_certificate(projects=tuple(in_names(letters()))))
    assert missing_glyphs_of(every) == 0
    unknown = await typesetter.pdf(a_certificate(purchaser=NEVER_IN_A_FONT * 3))
    assert missing_glyphs_of(unknown) == 3


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
async def test_both_forms_in_every_language(typesetter: Typesetter, language: Language) -> None:
    certificate = a_certificate(language=language)
    pdf, png = await typesetter.pdf(certificate), await typesetter.png(certificate)
    title = {"en": "Climate certificate", "de": "Klimazertifikat", "fr": "Certificat climatique",
             "es": "Certificado climático"}[language]  # fmt: skip
    written = text_of(pdf)
    assert title.replace(" ", "") in written
    for said in ("MeridianLogisticsGmbH", "FieldfareClimate", "FF-2026-004211", "GoldStandard",
                 "GS1-1-DE-GS11451-4-2023-24815-10231-16480", VERIFY_URL, "tCO₂e"):  # fmt: skip
        assert said in written
    assert [money for money in ("$", "€", "£", "USD", "EUR") if money in written] == []
    reader = opened(pdf)
    assert len(reader.pages) == 1
    assert [round(float(side) / 72 * 25.4) for side in reader.pages[0].mediabox[2:]] == [297, 210]
    assert reader.root_object["/Lang"] == language
    assert reader.metadata["/Title"] == f"{title} FF-2026-004211"
    assert missing_glyphs_of(pdf) == 0
    assert Image.open(io.BytesIO(png)).size == (1200, 630)


async def test_the_codes_lead_to_the_verify_address(typesetter: Typesetter) -> None:
    certificate = a_certificate(is_sample=True, state="refunded")
    assert qr_codes_of(picture_of(await typesetter.png(certificate))) == [VERIFY_URL]
    for page in pictures_of_pages(typesetter, certificate):
        assert qr_codes_of(page) == [VERIFY_URL]
    pages = opened(await typesetter.pdf(certificate)).pages
    links = [link.get_object()["/A"]["/URI"] for link in pages[0]["/Annots"]]
    assert set(links) == {VERIFY_URL}


async def test_what_a_name_holds_is_shown_and_never_evaluated(typesetter: Typesetter) -> None:
    projects = tuple(
        ShownProject(
            name=text, trees=1, standing="certified", certification_status=text, registry=text,
            retirements=(ShownRetirement(serial=text, vintage=text),),
        )
        for text in INJECTIONS
    )  # fmt: skip
    for at in range(0, len(INJECTIONS), 10):
        text = " ".join(INJECTIONS[at : at + 10])
        certificate = a_certificate(purchaser=text, seller=text, number=text, projects=projects[:1])
        assert text_of(await typesetter.pdf(certificate)).count(_flat(text)) == 3, text
        await typesetter.png(certificate)
    written = text_of(await typesetter.pdf(a_certificate(projects=projects)))
    for text in INJECTIONS:
        assert written.count(_flat(text)) >= 5, text


def _flat(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and not c.isspace())


@pytest.mark.parametrize("name", ["W" * 200, "Verein zur Förderung " * 9, "緑" * 200, "ש" * 200])
async def test_names_of_200_characters_fit(typesetter: Typesetter, name: str) -> None:
    long = ShownProject(
        name=name, mass_mg=123_456_789_123, standing="certified", certification_status=name,
        registry=name, retirements=(ShownRetirement(serial=name, vintage="2020"),),
    )  # fmt: skip
    certificate = a_certificate(
        purchaser=name, seller=name, number="N" * 40, projects=(long,) * 2,
        mass_mg=999_999_123_456_789, trees=10_000_000,
    )  # fmt: skip
    written = text_of(await typesetter.pdf(certificate))
    assert written.count(_flat(name.strip())) >= 6
    pages = pictures_of_pages(typesetter, certificate)
    for picture in (*pages, picture_of(await typesetter.png(certificate))):
        edge = picture.crop((picture.width - 50, 0, picture.width, picture.height))
        assert edge.getcolors() == [(edge.width * edge.height, PAPER)]


async def test_many_projects_take_more_pages_and_all_are_told(typesetter: Typesetter) -> None:
    projects = tuple(
        ShownProject(name=f"Project-{number}-", mass_mg=number * 10**6, standing="certified")
        for number in range(1, 61)
    )
    certificate = a_certificate(projects=projects)
    pdf = await typesetter.pdf(certificate)
    written = text_of(pdf)
    assert [n for n in range(1, 61) if f"Project-{n}-" not in written] == []
    pages = len(opened(pdf).pages)
    assert 3 <= pages <= 6
    assert f"Page1of{pages}" in written


async def test_the_same_certificate_gives_the_same_bytes(typesetter: Typesetter) -> None:
    certificate = a_certificate()
    first = await typesetter.pdf(certificate), await typesetter.png(certificate)
    await typesetter.pdf(a_certificate(purchaser="Somebody else", language="fr"))
    another = Typesetter()
    assert (await another.pdf(certificate), await another.png(certificate)) == first
    assert opened(first[0]).metadata["/CreationDate"] == "D:20261121185200Z"
    later = a_certificate(issued_at=datetime(2026, 11, 22, tzinfo=UTC))
    assert await typesetter.pdf(later) != first[0]


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"is_sample": True}, "SAMPLE·Asamplefromtestmode."),
        ({"state": "refunded"}, "REFUNDED·Nolongervalid:theorderwasrefunded."),
        ({"state": "replaced"}, "REPLACED·Nolongervalid:"),
    ],
)
async def test_what_proves_nothing_is_marked_all_over(
    typesetter: Typesetter, changed: dict[str, object], note: str
) -> None:
    marked = await typesetter.pdf(a_certificate(**changed))
    written = text_of(marked)
    assert note in written
    assert written.count(note.partition("·")[0]) == 2
    assert note not in text_of(await typesetter.pdf(a_certificate()))
    plain = picture_of(await typesetter.png(a_certificate()))
    stamped = picture_of(await typesetter.png(a_certificate(**changed)))
    where = differ_at(plain, stamped)
    assert where is not None
    assert where[2] - where[0] > 400
    assert where[3] - where[1] > 300
