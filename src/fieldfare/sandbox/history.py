"""History in test mode: the same small sample on every request."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fieldfare.catalog.model import Catalogue, Standing
from fieldfare.http.principal import Principal
from fieldfare.impact.model import Stats
from fieldfare.orders.model import LineKind, LineRow, PurchaseRow, RowsWanted
from fieldfare.sandbox.samples import (
    SAMPLE_METADATA,
    sample_lines,
    sample_purchases,
    sample_stats,
)


@dataclass(frozen=True)
class SandboxHistoryDesk:
    """Lists that show a sample."""

    preset: Catalogue

    async def stats(self, principal: Principal) -> Stats:
        """Totals of the sample orders."""
        return sample_stats(self.preset)

    async def stats_and_offsets(
        self, principal: Principal, wanted: RowsWanted, *, before_id: UUID, at_most: int
    ) -> tuple[Stats, list[LineRow]]:
        """The sample's totals and lines."""
        lines = await self.lines(principal, "offset", wanted, before_id=before_id, at_most=at_most)
        return await self.stats(principal), lines

    async def lines(
        self,
        principal: Principal,
        kind: LineKind,
        wanted: RowsWanted,
        *,
        before_id: UUID,
        at_most: int,
    ) -> list[LineRow]:
        """A page of the sample's lines."""
        lines = sample_lines(self.preset, kind)
        return [line for line in lines if _is_wanted(line, wanted, before_id)][:at_most]

    async def whole_offsets(
        self,
        principal: Principal,
        wanted: RowsWanted,
        *,
        before_id: UUID,
        standings: Sequence[Standing],
    ) -> None:
        """A sample is few lines."""

    async def purchases(
        self, principal: Principal, wanted: RowsWanted, *, before_id: UUID, at_most: int
    ) -> list[PurchaseRow]:
        """A page of the sample's orders."""
        purchases = sample_purchases(self.preset)
        return [row for row in purchases if _is_wanted(row, wanted, before_id)][:at_most]


def _is_wanted(row: LineRow | PurchaseRow, wanted: RowsWanted, before_id: UUID) -> bool:
    return (
        row.id < before_id
        and wanted.group_id in (None, row.group_id)
        and wanted.admits(row.created_at, SAMPLE_METADATA)
    )
