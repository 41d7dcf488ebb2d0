"""The catalogue's part of `fieldfare verify`."""

from collections.abc import AsyncIterator

import msgspec

from fieldfare.catalog import rules, store
from fieldfare.catalog.errors import CatalogueRefused
from fieldfare.catalog.model import Rows
from fieldfare.db.pool import Connection
from fieldfare.kernel.findings import Finding


async def verify_catalogue(conn: Connection) -> AsyncIterator[Finding]:
    """Each row of the catalogue against the changes that were asked for.

    `conn` reads one snapshot, or a change made meanwhile can be taken for a disagreement.
    """
    kept = await store.list_rows(conn)
    told = Rows()
    for revision, change in await store.list_changes(conn):
        try:
            told = rules.apply_change(told, msgspec.convert(change, Rows))
        except msgspec.ValidationError as error:
            yield Finding(
                "catalog.revision", f"revision={revision}", f"the change cannot be read: {error}"
            )
    for finding in rules.list_disagreements(kept, told):
        yield finding


async def list_past_catalogues(conn: Connection) -> dict[int, Rows]:
    """For features above: the whole catalogue as each revision left it, as the changes tell.

    What was bought is held against these. A revision whose change cannot be read, or whose rows do
    not fit together, is left out.
    """
    past: dict[int, Rows] = {}
    told = Rows()
    for revision, change in await store.list_changes(conn):
        try:
            told = rules.apply_change(told, msgspec.convert(change, Rows))
            rules.check_rows(told)
        except (msgspec.ValidationError, CatalogueRefused):
            continue
        past[revision] = told
    return past
