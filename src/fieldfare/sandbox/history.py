"""History in test mode: the same small sample on every request."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from fieldfare.catalog.model import Catalogue
from fieldfare.http.principal import Principal
from fieldfare.impact.model import Stats
from fieldfare.orders.model import (
    LineKind,
    LineRow,
    LinesWanted,
)
from fieldfare.sandbox.samples import (
    default_portfolio,
    sample_lines,
    sample_stats,
)


@dataclass(frozen=True)
class SandboxHistoryDesk:
    """Lists that show a sample."""

    preset: Catalogue

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
