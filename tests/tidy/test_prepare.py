"""Every named query is valid against the migrated schema, and every one is in use.

The names in a `.sql` file and in the modules that load it are tied together here, because no type
checker sees through the file.
"""

import ast
import re
from pathlib import Path

import asyncpg
import pytest

from fieldfare.db.queries import query_file
from tests.tidy.house import (
    SOURCE,
    NamedQuery,
    dotted,
    modules,
    named_queries,
    queries_in,
    query_files,
)

QUERIES = [pytest.param(query, id=query.full_name) for query in named_queries()]


@pytest.mark.parametrize("query", QUERIES)
async def test_query_can_be_prepared(query: NamedQuery, migrated_url: str) -> None:
    conn = await asyncpg.connect(migrated_url)
    try:
        statement = await conn.prepare(query.sql)
        numbers = {int(number) for number in re.findall(r"\$(\d+)", query.sql)}
        assert len(statement.get_parameters()) == len(numbers)
    finally:
        await conn.close()


def names_called(file: Path) -> set[str]:
    """The queries that the modules which load a file name: `_queries.find_wallet`."""
    return {
        node.attr
        for path in file.parent.glob("*.py")
        if query_file(str(path)) == file
        for node in ast.walk(modules()[dotted(path)])
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "_queries"
    }


@pytest.mark.parametrize("file", query_files(), ids=lambda file: str(file.relative_to(SOURCE)))
def test_the_names_in_sql_and_in_python_are_the_same(file: Path) -> None:
    written = {query.name for query in queries_in(file)}
    # aiosql's cursor for a query of many rows counts as the query.
    called = {
        name if name in written else name.removesuffix("_cursor") for name in names_called(file)
    }
    assert called == written


def test_every_written_query_is_loaded() -> None:
    """The names are counted in the text as well, where no loader comes between."""
    written = sum(file.read_text("utf-8").count("-- name: ") for file in query_files())
    assert len(named_queries()) == written


def test_names_are_one_word_for_one_thing() -> None:
    full_names = [query.full_name for query in named_queries()]
    assert len(full_names) == len(set(full_names))
