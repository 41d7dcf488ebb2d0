"""The desk behind the order lists: the books, or the sandbox's samples."""

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
from fieldfare.orders.model import LineKind, LineRow, PurchaseRow, RowsWanted
from fieldfare.orders.service import history


class HistoryDesk(CatalogDesk, Protocol):
    """Where the order lists find their rows."""

    async def stats(self, principal: Principal) -> Stats:
        """The account's totals."""
        ...

    async def lines(
        self,
        principal: Principal,
        kind: LineKind,
        wanted: RowsWanted,
        *,
        before_id: UUID,
        at_most: int,
    ) -> list[LineRow]:
        """One page of lines of a kind below an id, newest first."""
        ...

    async def purchases(
        self, principal: Principal, wanted: RowsWanted, *, before_id: UUID, at_most: int
    ) -> list[PurchaseRow]:
        """One page of paid orders below an id, newest first."""
        ...


@dataclass(frozen=True)
class LiveHistoryDesk(LiveCatalogDesk, LiveCreditDesk):
    """The desk that reads the books."""

    async def stats(self, principal: Principal) -> Stats:
        """See `HistoryDesk`."""
        async with connection(self.db) as conn:
            return await get_stats(conn, principal.account_id)

    async def lines(
        self,
        principal: Principal,
        kind: LineKind,
        wanted: RowsWanted,
        *,
        before_id: UUID,
        at_most: int,
    ) -> list[LineRow]:
        """See `HistoryDesk`."""
        return await history.list_lines(
            self.db, principal.account_id, kind, wanted, before_id=before_id, at_most=at_most
        )

    async def purchases(
        self, principal: Principal, wanted: RowsWanted, *, before_id: UUID, at_most: int
    ) -> list[PurchaseRow]:
        """See `HistoryDesk`."""
        return await history.list_purchases(
            self.db, principal.account_id, wanted, before_id=before_id, at_most=at_most
        )


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
