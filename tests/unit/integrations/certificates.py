"""Certificates to set, and what can be read back from what was set."""

import io
from datetime import UTC, datetime
from typing import Any

import msgspec
import zxingcpp
from PIL import Image
from pypdf import PdfReader
from pypdf.generic import ContentStream

from fieldfare.integrations.typst import (
    ShownCertificate,
    ShownProject,
    ShownRetirement,
    Typesetter,
)
from fieldfare.integrations.typst.qr import qr_code
from fieldfare.integrations.typst.sheet import lay_out

VERIFY_URL = "https://fieldfare.example/certificates/3q2-7wBvS0uX9dKcYtRZ1A/verify"
PEATLAND = ShownProject(
    name="Peatland Restoration Uckermark",
    mass_mg=6_250_000_000,
    standing="certified",
    certification_status="standard 2023",
    registry="Gold Standard Impact Registry",
    retirements=(
        ShownRetirement(serial="GS1-1-DE-GS11451-4-2023-24815-10231-16480", vintage="2023"),
    ),
)
SOLAR = ShownProject(
    name="Rooftop Solar Rajasthan",
    mass_mg=5_800_000_000,
    standing="external_standard",
    certification_status="VCS",
    registry="Verra",
)
TREES = ShownProject(
    name="Miombo Woodland", trees=1_200, standing="certified", certification_status="WeForest"
)
PILOT = ShownProject(name="Weathering Pilot", mass_mg=450_000_000, standing="uncertified")


def a_certificate(**changed: Any) -> ShownCertificate:
    """A certificate with a project of each kind, and what a test changes of it."""
    certificate = ShownCertificate(
        number="FF-2026-004211",
        language="en",
        purchaser="Meridian Logistics GmbH",
        seller="Fieldfare Climate",
        mass_mg=12_050_000_000,
        trees=1_200,
        projects=(PEATLAND, SOLAR, TREES, PILOT),
        issued_at=datetime(2026, 11, 21, 18, 52, tzinfo=UTC),
        verify_url=VERIFY_URL,
    )
    return msgspec.structs.replace(certificate, **changed)


def picture_of(png: bytes) -> Image.Image:
    """The picture, to be looked at."""
    return Image.open(io.BytesIO(png)).convert("RGB")


def pictures_of_pages(typesetter: Typesetter, certificate: ShownCertificate) -> list[Image.Image]:
    """The pages of the PDF as they look, at 144 points an inch."""
    sheet = lay_out(certificate, "pdf", qr=qr_code(certificate.verify_url))
    pages = typesetter.compiler.compile(
        format="png", sys_inputs={"sheet": msgspec.json.encode(sheet).decode()}
    )
    assert pages is not None
    return [picture_of(page) for page in ([pages] if isinstance(pages, bytes) else pages)]


def qr_codes_of(picture: Image.Image) -> list[str]:
    """What the codes in a picture say."""
    return [code.text for code in zxingcpp.read_barcodes(picture)]


def opened(pdf: bytes) -> Any:
    """The PDF, to be looked into; what its dictionaries hold has no types."""
    return PdfReader(io.BytesIO(pdf))


def text_of(pdf: bytes) -> str:
    """What a reader copies from it, without blanks, for they stand wherever a line ends."""
    written = "".join(page.extract_text() for page in opened(pdf).pages)
    # The reader that we have does not know that some letters are written as several glyphs.
    return "".join(letter for letter in written if letter.isprintable() and not letter.isspace())


def missing_glyphs_of(pdf: bytes) -> int:
    """How often a box stands for a letter that no font has: glyph 0 of any font."""
    reader = opened(pdf)
    return sum(
        _missing_in(page.get_contents(), page["/Resources"].get_object(), reader)
        for page in reader.pages
    )


def _missing_in(stream: Any, resources: Any, reader: PdfReader) -> int:
    font: Any = None
    missing = 0
    for operands, operator in ContentStream(stream, reader).operations:
        if operator == b"Tf":
            font = resources["/Font"][operands[0]]
        elif operator in {b"Tj", b"TJ"} and font and font["/Subtype"] == "/Type0":
            shown = operands[0] if operator == b"TJ" else [operands[0]]
            missing += sum(_zeros_in(part) for part in shown)
        elif operator == b"Do":
            inner = resources["/XObject"][operands[0]].get_object()
            if inner["/Subtype"] == "/Form":
                missing += _missing_in(inner, inner.get("/Resources", {}), reader)
    return missing


def _zeros_in(part: Any) -> int:
    codes = getattr(part, "original_bytes", b"")
    return sum(codes[at : at + 2] == b"\0\0" for at in range(0, len(codes), 2))
