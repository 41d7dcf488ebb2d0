"""Named queries: each module's `.sql` file, loaded once at import.

A feature has one `queries.sql` beside its `store.py`; where the store has grown into a package,
each of its modules has a file of its own name instead.

A query is called by its name: `await queries.find_wallet(conn, account_id=7)`. The suffix of the
name in the file says what comes back: none for many rows, `^` for one row or None, `$` for one
value, `!` for nothing.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosql
from aiosql.adapters.asyncpg import AsyncPGAdapter

from fieldfare.db.pool import Connection


class _Adapter(AsyncPGAdapter):
    """aiosql's for asyncpg, which is always given one connection and named parameters.

    Its own looks through all that a connection can do, for each statement, to see whether it is a
    pool: that takes as long as the driver's part of a short one.
    """

    async def select(
        self, conn: Connection, name: str, sql: str, parameters: dict[str, Any], _: Any = None
    ) -> AsyncIterator[Any]:
        for row in await conn.fetch(sql, *self._in_order(name, parameters)):
            yield row

    async def select_one(
        self, conn: Connection, name: str, sql: str, parameters: dict[str, Any], _: Any = None
    ) -> Any:
        return await conn.fetchrow(sql, *self._in_order(name, parameters))

    async def select_value(
        self, conn: Connection, name: str, sql: str, parameters: dict[str, Any]
    ) -> Any:
        return await conn.fetchval(sql, *self._in_order(name, parameters))

    async def insert_update_delete(
        self, conn: Connection, name: str, sql: str, parameters: dict[str, Any]
    ) -> Any:
        return await conn.execute(sql, *self._in_order(name, parameters))

    def _in_order(self, name: str, parameters: dict[str, Any]) -> list[Any]:
        return [parameters[variable] for variable in self.var_sorted[name]]


def load_queries(module_file: str) -> Any:
    """The queries of the module whose `__file__` is given.

    `Any`, because the names come from the SQL file; the store gives them their types, and a test
    prepares every one against the migrated schema.
    """
    adapter: Any = _Adapter
    return aiosql.from_path(query_file(module_file), adapter, mandatory_parameters=False)


def query_file(module_file: str) -> Path:
    """Where a module's queries stand: in the `.sql` of its own name, else in `queries.sql`."""
    own = Path(module_file).with_suffix(".sql")
    return own if own.is_file() else own.with_name("queries.sql")
