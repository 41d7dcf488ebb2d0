"""Every named query is valid against the migrated schema, and every one is in use.

The names in a `queries.sql` and in the modules beside it are tied together here, because no type
checker sees through the file.
"""

import ast
import re

import asyncpg
import pytest

from tests.tidy.house import NamedQuery, modules, named_queries

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


def names_called(feature: str) -> set[str]:
    """The queries that the modules of a feature name: `_queries.find_wallet`."""
    return {
        node.attr
        for module, tree in modules().items()
        if module.split(".")[1:2] == [feature]
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "_queries"
    }


@pytest.mark.parametrize("feature", sorted({query.feature for query in named_queries()}))
def test_the_names_in_sql_and_in_python_are_the_same(feature: str) -> None:
    written = {query.name for query in named_queries() if query.feature == feature}
    # aiosql's cursor for a query of many rows counts as the query.
    called = {
        name if name in written else name.removesuffix("_cursor") for name in names_called(feature)
    }
    assert called == written


def test_names_are_one_word_for_one_thing() -> None:
    full_names = [query.full_name for query in named_queries()]
    assert len(full_names) == len(set(full_names))
