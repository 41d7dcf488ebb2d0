"""What every list of orders shows alike: ids, certificates, instants that may be missing.

In test mode an id says so, and a certificate is found by the order group id.
"""

from datetime import datetime

import msgspec

from fieldfare.kernel.clock import rfc3339
from fieldfare.orders.model import LineKind, LineRow, PurchaseRow
from fieldfare.orders.service.desk import certificate_url

TEST_PREFIXES: dict[LineKind, str] = {
    "offset": "test_oo_",
    "tree": "test_to_",
    "donation": "test_po_",
}


class Showing(msgspec.Struct, frozen=True):
    """To whom rows are shown: at which address of ours, and whether in test mode."""

    public_url: str
    test: bool

    def line_id(self, line: LineRow, kind: LineKind) -> str:
        """What a line is called."""
        return f"{TEST_PREFIXES[kind]}{line.id.hex}" if self.test else str(line.id)

    def purchase_id(self, purchase: PurchaseRow) -> str:
        """What a purchase is called beside its group id."""
        return purchase.group_id if self.test else str(purchase.id)

    def certificate_url(self, row: LineRow | PurchaseRow) -> str:
        """Where the order's certificate is seen."""
        if self.test:
            return f"{self.public_url}/certificates/{row.group_id}"
        return certificate_url(self.public_url, row.certificate_slug)


def instant_or_none(instant: datetime | None) -> str | None:
    """An instant as it is written, if there is one."""
    return None if instant is None else rfc3339(instant)
