"""The catalogue's rows held against the changes that were asked for.

`catalog.revision` keeps each change whole, apart from the rows that it wrote, so a row that was
altered any other way, be it by one byte, does not agree with it any more.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from fieldfare.catalog.model import PortfolioRow, PriceRow, Rows
from fieldfare.kernel.findings import Finding

Table: TypeAlias = dict[str, dict[str, Any]]


def list_disagreements(kept: Rows, told: Rows) -> Iterator[Finding]:
    """Where the rows as kept are not those that the revisions tell of; one finding a column."""
    tables = _tables(told)
    for name, kept_table in _tables(kept).items():
        told_table = tables[name]
        for key in sorted(kept_table.keys() | told_table.keys()):
            yield from _compare(name, key, kept_table.get(key), told_table.get(key))


def _compare(
    table: str, key: str, kept: Mapping[str, Any] | None, told: Mapping[str, Any] | None
) -> Iterator[Finding]:
    if kept is None:
        yield Finding(table, key, "the row is missing, catalog.revision tells of it")
    elif told is None:
        yield Finding(table, key, "the row is there, catalog.revision does not tell of it")
    else:
        for column, value in kept.items():
            if value != told[column]:
                yield Finding(
                    table, key, f"{column} is {value!r}, catalog.revision says {told[column]!r}"
                )


def _tables(rows: Rows) -> dict[str, Table]:
    columns = msgspec.structs.asdict
    return {
        "catalog.partner": {f"id={row.id}": columns(row) for row in rows.partners},
        "catalog.project": {f"id={row.id}": columns(row) for row in rows.projects},
        "catalog.portfolio": {f"id={row.id}": _portfolio(row) for row in rows.portfolios},
        "catalog.weight": {
            f"portfolio_id={row.id} project_id={weight.project_id}": columns(weight)
            for row in rows.portfolios
            for weight in row.weights
        },
        "catalog.price": {_price_key(row): columns(row) for row in rows.prices},
    }


def _portfolio(row: PortfolioRow) -> dict[str, Any]:
    """Without its weights, which are rows of their own."""
    return {name: value for name, value in msgspec.structs.asdict(row).items() if name != "weights"}


def _price_key(row: PriceRow) -> str:
    return f"project_id={row.project_id} effective_at={row.effective_at.isoformat()}"
