"""Another catalogue in a running shop: what a test closes, adds or takes out of the preset's."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec

from fieldfare.catalog.model import PriceRow, ProjectRow, Rows
from fieldfare.catalog.service import import_catalogue, load_preset
from fieldfare.db.pool import open_database, transaction

WEFOREST = 30
"""The tree provider of the preset, at $1.20 a tree."""


def preset_project(project_id: int, **fields: Any) -> ProjectRow:
    """A project of the preset with some fields changed."""
    (row,) = (row for row in load_preset().projects if row.id == project_id)
    return msgspec.structs.replace(row, **fields)


def provider_at(unit_price_micro: int, *, since: datetime) -> Rows:
    """Another tree provider than the preset's, at another price."""
    row = preset_project(WEFOREST, id=40, name="Saplings", provider_name="Sapling Trust")
    price = PriceRow(project_id=40, effective_at=since, unit_price_micro=unit_price_micro)
    return Rows(projects=(row,), prices=(price,))


def change_catalogue(database_url: str, rows: Rows) -> None:
    """Bring the catalogue to these rows; processes follow within a second."""

    async def change() -> None:
        db = await open_database(database_url, pool_size=2, application="tests")
        try:
            async with transaction(db) as conn:
                await import_catalogue(conn, rows, now=datetime.now(UTC), made_by="tests")
        finally:
            await db.close()

    asyncio.run(change())
