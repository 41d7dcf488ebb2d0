"""The desk behind the order lists: the books, or the sandbox's samples."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from fieldfare.catalog.service import CatalogDesk, LiveCatalogDesk
from fieldfare.db.pool import Connection, connection
from fieldfare.http.principal import Principal
from fieldfare.impact import store
from fieldfare.impact.model import Stats
from fieldfare.impact.rules import place_of
from fieldfare.ledger.service.credits import LiveCreditDesk, get_wallet
from fieldfare.orders.model import LineKind, LineRow, LinesWanted
from fieldfare.orders.service import history


class HistoryDesk(CatalogDesk, Protocol):
    """Where the order lists find their rows."""

    async def stats(self, principal: Principal) -> Stats:
        """The account's totals."""
        ...

    def all_lines(
        self, principal: Principal, wanted: LinesWanted, *, before_id: UUID
    ) -> AsyncIterator[list[LineRow]]:
        """Every line below an id, newest first, in pages of bounded size."""
        ...

    async def lines(
        self, principal: Principal, wanted: LinesWanted, *, before_id: UUID, at_most: int
    ) -> list[LineRow]:
        """One page of lines below an id, newest first."""
        ...

    async def lines_of_group(
        self, principal: Principal, kind: LineKind, group_id: str
    ) -> list[LineRow]:
        """The lines of one order group."""
        ...


@dataclass(frozen=True)
class LiveHistoryDesk(LiveCatalogDesk, LiveCreditDesk):
    """The desk that reads the books."""

    async def stats(self, principal: Principal) -> Stats:
        """See `HistoryDesk`."""
        async with connection(self.db) as conn:
            return await get_stats(conn, principal.account_id)

    def all_lines(
        self, principal: Principal, wanted: LinesWanted, *, before_id: UUID
    ) -> AsyncIterator[list[LineRow]]:
        """See `HistoryDesk`."""
        return history.all_lines(self.db, principal.account_id, wanted, before_id=before_id)

    async def lines(
        self, principal: Principal, wanted: LinesWanted, *, before_id: UUID, at_most: int
    ) -> list[LineRow]:
        """See `HistoryDesk`."""
        return await history.list_lines(
            self.db, principal.account_id, wanted, before_id=before_id, at_most=at_most
        )

    async def lines_of_group(
        self, principal: Principal, kind: LineKind, group_id: str
    ) -> list[LineRow]:
        """See `HistoryDesk`."""
        return await history.lines_of_group(self.db, principal.account_id, kind, group_id)


async def get_stats(conn: Connection, account_id: int) -> Stats:
    """An account's totals; its rank may lag a minute, its mass does not."""
    wallet = await get_wallet(conn, account_id)
    if wallet.certified_mg == 0:
        return Stats(certified_mg=0, place=None)
    rank, accounts = await store.find_rank(conn, wallet.certified_mg)
    return Stats(certified_mg=wallet.certified_mg, place=place_of(rank, accounts))


async def refresh_ranking(conn: Connection) -> int:
    """What the job does each minute; gives how many rows changed."""
    return await store.refresh_ranking(conn)
