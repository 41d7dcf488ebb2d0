"""`Typesetter`: certificates as PDF and as share image, by typst.

What must hold: the same certificate gives the same bytes, on any machine and at any time, so that
an answer's ETag may be made of them.
"""

from fieldfare.integrations.typst.model import ShownCertificate


class Typesetter:
    """Sets certificates, one at a time and in a thread of its own, so that requests go on.

    Costs nothing until the first one is set: typst and its fonts are loaded then, and kept.
    """

    async def pdf(self, certificate: ShownCertificate) -> bytes:
        """A4 pages; as many as the projects need."""
        raise NotImplementedError

    async def png(self, certificate: ShownCertificate) -> bytes:
        """The share image, 1200×630; of many projects it tells how many more there are."""
        raise NotImplementedError
