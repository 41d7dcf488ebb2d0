"""`Typesetter`: certificates as PDF and as share image, by typst.

What must hold: the same certificate gives the same bytes, on any machine and at any time; what a
name holds is data to typst, never its language; and nothing outside this folder is read.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from fieldfare.integrations.typst.model import ShownCertificate
from fieldfare.integrations.typst.qr import qr_code
from fieldfare.integrations.typst.sheet import Form, lay_out

if TYPE_CHECKING:
    import typst

HERE = Path(__file__).parent
TEMPLATES = HERE / "template"
FONTS = HERE / "fonts"
PIXELS_PER_INCH = 144.0
"""The image is laid out as 600×315 points."""


class Typesetter:
    """Sets certificates, one after the other in a thread of its own, so that requests go on.

    Costs nothing until the first one is set: typst and its fonts are loaded then, and kept.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="typesetter")

    async def pdf(self, certificate: ShownCertificate) -> bytes:
        """A4 pages; as many as the projects need."""
        return await self._set_in_thread(certificate, "pdf")

    async def png(self, certificate: ShownCertificate) -> bytes:
        """The share image, 1200×630; of many projects it tells how many more there are."""
        return await self._set_in_thread(certificate, "png")

    async def _set_in_thread(self, certificate: ShownCertificate, form: Form) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._set, certificate, form)

    def _set(self, certificate: ShownCertificate, form: Form) -> bytes:
        sheet = lay_out(certificate, form, qr=qr_code(certificate.verify_url))
        document = self.compiler.compile(
            format=form,
            ppi=PIXELS_PER_INCH,
            sys_inputs={"sheet": msgspec.json.encode(sheet).decode()},
            # Otherwise the PDF would tell when it was asked for, and differ each time.
            timestamp=int(certificate.issued_at.timestamp()),
        )
        return cast("bytes", document)

    @cached_property
    def compiler(self) -> "typst.Compiler":
        """The compiler of the template, with its fonts; loaded when first needed."""
        import typst

        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS]
        )
        return typst.Compiler(
            TEMPLATES / "certificate.typ",
            root=TEMPLATES,
            font_paths=fonts,
            # Packages would be looked for, and fetched, if the template named one.
            package_path=TEMPLATES,
            package_cache_path=TEMPLATES,
        )
