"""The sandbox's desk: every kind of desk at once, answered from the preset."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from fieldfare.catalog.model import Catalogue
from fieldfare.db.ids import new_id
from fieldfare.http.idempotency import RequestKey, StoredAnswer
from fieldfare.http.principal import Principal
from fieldfare.impact.model import Stats
from fieldfare.kernel.ids import instant_of
from fieldfare.ledger.errors import InsufficientCredits
from fieldfare.ledger.model import EntryPage, Wallet
from fieldfare.orders.errors import OrderNotFound
from fieldfare.orders.model import (
    Exchange,
    LineKind,
    LineRow,
    LinesWanted,
    Order,
    OrderKind,
    Party,
    Purchase,
    Quote,
)
from fieldfare.orders.rules import IN_DOLLARS, answer_parts, price_cents
from fieldfare.orders.service.desk import OrderNames
from fieldfare.sandbox.samples import (
    TOP_UP_CENTS,
    default_portfolio,
    sample_entries,
    sample_lines,
    sample_stats,
)

PREFIXES: dict[OrderKind, str] = {"offset": "test_oo_", "tree": "test_to_", "project": "test_po_"}
_TEST_ID = re.compile(r"test_(oo|to|po)_([0-9a-f]{32})", re.ASCII)
_KINDS: dict[str, OrderKind] = {"oo": "offset", "to": "tree", "po": "project"}
_SAMPLE_MASS_MG = 450_000_000


@dataclass(frozen=True, slots=True)
class SandboxDesk:
    """Answers as the live desks would, and does nothing."""

    preset: Catalogue
    public_url: str

    async def catalogue(self) -> Catalogue:
        """The preset, whatever the live catalogue says."""
        return self.preset

    async def exchange(self, principal: Principal) -> Exchange:
        """US dollars, whatever the account's currency is."""
        return IN_DOLLARS

    def draw(self, principal: Principal, quote: Quote, party: Party, *, receipt: bool) -> Order:
        """An order that is recorded nowhere."""
        order_id = new_id()
        return Order(
            id=order_id,
            certificate_slug=order_id,
            account_id=principal.account_id,
            source="public-api",
            send_receipt=receipt,
            quote=quote,
            party=party,
        )

    def names(self, order: Order) -> OrderNames:
        """Ids that say at a glance that nothing was bought."""
        return self._names(order.quote.kind, order.id)

    async def place(
        self, principal: Principal, order: Order, answer: bytes, key: RequestKey | None
    ) -> bytes | StoredAnswer:
        """The answer, with what would remain of the balance."""
        if order.quote.payment_method == "stripe":
            return answer
        remaining = TOP_UP_CENTS - order.quote.amount_cents
        if remaining < 0:
            raise InsufficientCredits(
                needed_cents=order.quote.amount_cents, balance_cents=TOP_UP_CENTS
            )
        return answer_parts(answer).with_balance(remaining)

    async def find_answer(self, key: RequestKey) -> StoredAnswer | None:
        """Nothing is kept, so nothing is found."""
        return None

    async def purchase(self, principal: Principal, purchase_id: str) -> Purchase:
        """A paid sample order under any id of test mode's form."""
        match = _TEST_ID.fullmatch(purchase_id)
        if match is None:
            raise OrderNotFound(
                "Test mode knows only orders whose id starts with test_oo_, test_to_ or test_po_, "
                "as its answers give them."
            )
        portfolio = default_portfolio(self.preset)
        identifier = UUID(match.group(2))
        amount_cents = price_cents(_SAMPLE_MASS_MG, portfolio.cost_per_ton_cents)
        at = _instant(identifier)
        return Purchase(
            id=identifier,
            account_id=0,
            kind=_KINDS[match.group(1)],
            state="paid",
            payment_method="credits",
            portfolio_id=portfolio.id,
            project_id=None,
            mass_mg=_SAMPLE_MASS_MG,
            trees=0,
            amount_cents=amount_cents,
            charge_minor=amount_cents,
            currency="USD",
            charge_id=purchase_id,
            certificate_slug=identifier,
            created_at=at,
            paid_at=at,
            refunded_at=None,
        )

    def purchase_names(self, purchase: Purchase) -> OrderNames:
        """See `names`."""
        return self._names(purchase.kind, purchase.id)

    def _names(self, kind: OrderKind, identifier: UUID) -> OrderNames:
        name = f"{PREFIXES[kind]}{identifier.hex}"
        return OrderNames(
            group_id=name,
            purchase_id=name,
            certificate_url=f"{self.public_url}/certificates/{name}",
        )

    async def wallet(self, principal: Principal) -> Wallet:
        """A thousand dollars, new on every request."""
        return Wallet(account_id=0, balance_cents=TOP_UP_CENTS, entry_count=1)

    async def entries(self, principal: Principal, *, limit: int, offset: int) -> EntryPage:
        """The one top-up."""
        entries = sample_entries()
        return EntryPage(entries[offset : offset + limit], total=len(entries))

    async def stats(self, principal: Principal) -> Stats:
        """Totals of the sample orders."""
        return sample_stats(default_portfolio(self.preset))

    async def all_lines(
        self, principal: Principal, wanted: LinesWanted, *, before_id: UUID
    ) -> AsyncIterator[list[LineRow]]:
        """The sample in one page."""
        lines = self._lines(wanted, before_id)
        if lines:
            yield lines

    async def lines(
        self, principal: Principal, wanted: LinesWanted, *, before_id: UUID, at_most: int
    ) -> list[LineRow]:
        """A page of the sample."""
        return self._lines(wanted, before_id)[:at_most]

    async def lines_of_group(
        self, principal: Principal, kind: LineKind, group_id: str
    ) -> list[LineRow]:
        """The lines of one sample order."""
        lines = sample_lines(default_portfolio(self.preset))
        return [line for line in lines if line.group_id == group_id and kind == "offset"]

    def _lines(self, wanted: LinesWanted, before_id: UUID) -> list[LineRow]:
        pairs = (wanted.metadata or {}).items()
        return [
            line
            for line in sample_lines(default_portfolio(self.preset))
            if line.id < before_id
            and wanted.created_after <= line.created_at < wanted.created_before
            and pairs <= (line.metadata or {}).items()
        ]


def _instant(identifier: UUID) -> datetime:
    """When an id was drawn; a made-up one may lie beyond the calendar."""
    try:
        return instant_of(identifier)
    except (OverflowError, ValueError):
        return datetime(2026, 1, 15, tzinfo=UTC)
