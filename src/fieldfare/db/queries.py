"""Named queries: each module's `.sql` file, loaded once at import.

A feature has one `queries.sql` beside its `store.py`; where the store has grown into a package,
each of its modules has a file of its own name instead.

A query is called by its name: `await queries.find_wallet(conn, account_id=7)`. The suffix of the
name in the file says what comes back: none for many rows, `^` for one row or None, `$` for one
value, `!` for nothing.
"""

from pathlib import Path
from typing import Any

import aiosql


def load_queries(module_file: str) -> Any:
    """The queries of the module whose `__file__` is given.

    `Any`, because the names come from the SQL file; the store gives them their types, and a test
    prepares every one against the migrated schema.
    """
    return aiosql.from_path(query_file(module_file), "asyncpg", mandatory_parameters=False)


def query_file(module_file: str) -> Path:
    """Where a module's queries stand: in the `.sql` of its own name, else in `queries.sql`."""
    own = Path(module_file).with_suffix(".sql")
    return own if own.is_file() else own.with_name("queries.sql")
