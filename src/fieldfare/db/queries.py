"""Named queries: each feature's `queries.sql`, loaded once at import.

A query is called by its name: `await queries.find_wallet(conn, account_id=7)`. The suffix of the
name in the file says what comes back: none for many rows, `^` for one row or None, `$` for one
value, `!` for nothing.
"""

from pathlib import Path
from typing import Any

import aiosql


def load_queries(module_file: str) -> Any:
    """The queries in the `queries.sql` that stands beside the module whose `__file__` is given.

    `Any`, because the names come from the SQL file; each `store.py` gives them their types, and a
    test prepares every one against the migrated schema.
    """
    return aiosql.from_path(
        Path(module_file).with_name("queries.sql"), "asyncpg", mandatory_parameters=False
    )
