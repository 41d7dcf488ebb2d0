"""The desk behind the order lists: the books, or the sandbox's samples."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from fieldfare.catalog.model import Standing
from fieldfare.catalog.service import CatalogDesk, LiveCatalogDesk
from fieldfare.db.pool import Connection, connection
from fieldfare.http.encoding import encode_json
from fieldfare.http.principal import Principal
from fieldfare.impact import store
from fieldfare.impact.model import Stats
from fieldfare.impact.rules import place_of
from fieldfare.ledger.service.credits import LiveCreditDesk
from fieldfare.orders.model import (
    LineKind,
    LineLabels,
    LineRow,
    OffsetTexts,
    PurchaseRow,
    RowsWanted,
)
from fieldfare.orders.service import history
from fieldfare.orders.service.desk import certificates_at


class HistoryDesk(CatalogDesk, Protocol):
    """Where the order lists find their rows."""

    async def stats(self, principal: Principal) -> Stats:
        """The account's totals."""
        ...

    async def stats_and_offsets(
        self, principal: Principal, wanted: RowsWanted, *, before_id: UUID, at_most: int
    ) -> tuple[Stats, list[LineRow]]:
        """The same with one page of offset lines below an id, newest first."""
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

    async def whole_offsets(
        self,
        principal: Principal,
        wanted: RowsWanted,
        *,
        before_id: UUID,
        standings: Sequence[Standing],
    ) -> AsyncGenerator[OffsetTexts, None] | None:
        """Every offset line of some standings below an id, as the list shows it, newest first.

        None if these are so few that they are as well read as `lines`.
        """
        ...

    async def purchases(
        self, principal: Principal, wanted: RowsWanted, *, before_id: UUID, at_most: int
    ) -> list[PurchaseRow]:
        """One page of paid orders below an id, newest first."""
        ...


@dataclass(frozen=True)
class LiveHistoryDesk(LiveCatalogDesk, LiveCreditDesk):
    """The desk that reads the books."""

    page_turns: history.PageTurns
    beginning: history.Beginning

    async def stats(self, principal: Principal) -> Stats:
        """See `HistoryDesk`."""
        async with connection(self.db) as conn:
            return await get_stats(conn, principal.account_id)

    async def stats_and_offsets(
        self, principal: Principal, wanted: RowsWanted, *, before_id: UUID, at_most: int
    ) -> tuple[Stats, list[LineRow]]:
        """See `HistoryDesk`: over one connection."""
        async with connection(self.db) as conn:
            stats = await get_stats(conn, principal.account_id)
            lines = await history.list_lines(
                conn,
                self.beginning,
                principal.account_id,
                "offset",
                wanted,
                before_id=before_id,
                at_most=at_most,
            )
        return stats, lines

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
        async with connection(self.db) as conn:
            return await history.list_lines(
                conn,
                self.beginning,
                principal.account_id,
                kind,
                wanted,
                before_id=before_id,
                at_most=at_most,
            )

    async def whole_offsets(
        self,
        principal: Principal,
        wanted: RowsWanted,
        *,
        before_id: UUID,
        standings: Sequence[Standing],
    ) -> AsyncGenerator[OffsetTexts, None] | None:
        """See `HistoryDesk`: of one order, or of those with some metadata, there are few."""
        if wanted.metadata or wanted.group_id:
            return None
        projects = (await self.catalogue()).projects
        return history.write_offsets(
            self.db,
            self.page_turns,
            self.beginning,
            principal.account_id,
            wanted,
            before_id=before_id,
            standings=standings,
            labels=LineLabels(
                projects={
                    number: f'{number},"project_name":{_as_json(project.name)}'
                    for number, project in projects.items()
                },
                certificates_at=_as_json(certificates_at(self.public_url))[1:-1],
            ),
        )

    async def purchases(
        self, principal: Principal, wanted: RowsWanted, *, before_id: UUID, at_most: int
    ) -> list[PurchaseRow]:
        """See `HistoryDesk`."""
        async with connection(self.db) as conn:
            return await history.list_purchases(
                conn,
                self.beginning,
                principal.account_id,
                wanted,
                before_id=before_id,
                at_most=at_most,
            )


def _as_json(text: str) -> str:
    return encode_json(text).decode()


async def get_stats(conn: Connection, account_id: int) -> Stats:
    """An account's totals; its rank may lag a minute, its mass does not."""
    certified_mg, rank, accounts = await store.find_totals(conn, account_id)
    place = place_of(rank, accounts) if certified_mg else None
    return Stats(certified_mg=certified_mg, place=place)


async def refresh_ranking(conn: Connection) -> int:
    """What the job does each minute; gives how many pages changed."""
    return await store.refresh_ranking(conn)
