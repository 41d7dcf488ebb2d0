"""Every named query is valid against the migrated schema, and every one is in use.

The names in a `queries.sql` and in the module that loads it are tied together here, because no type
checker sees through the file.
"""

import ast
from collections.abc import Iterator

import asyncpg
import pytest

from tests.conftest import fresh_database
from tests.tidy.house import NamedQuery, modules, named_queries, query_folders
from tests.tidy.reach import queries_on_requests

QUERIES = [pytest.param(query, id=query.full_name) for query in named_queries()]


@pytest.fixture(scope="module")
def migrated_url(server_url: str, template: str) -> Iterator[str]:
    """One migrated database for all queries: preparing them changes nothing."""
    with fresh_database(server_url, template) as url:
        yield url


@pytest.mark.parametrize("query", QUERIES)
async def test_query_can_be_prepared(query: NamedQuery, migrated_url: str):
    conn = await asyncpg.connect(migrated_url)
    try:
        statement = await conn.prepare(query.sql)
        assert len(statement.get_parameters()) == highest_parameter(query.sql)
    finally:
        await conn.close()
