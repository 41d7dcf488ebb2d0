"""Looking into SQL with PostgreSQL's own parser: which tables and functions a text names.

`$n` parameters are part of the grammar, so a named query parses as it is. The body of a PL/pgSQL
function is taken apart into its statements and expressions; a dynamic EXECUTE cannot be looked into
and is told apart.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from pglast import ast, parse_plpgsql, parse_sql
from pglast.visitors import Visitor

_DECLARED_ROW = re.compile(r"^(\s*\w+\s+)(\w+)\.(\w+)(\s*;)", re.MULTILINE)
_EXPRESSION, _ASSIGNMENTS = 2, (3, 4, 5)
"""How libpg_query says what an expression of PL/pgSQL is; 0 is a whole statement."""


class Names(msgspec.Struct, frozen=True):
    """What a text names, as (schema, name); the schema is empty where none is written."""

    relations: frozenset[tuple[str, str]]
    functions: frozenset[tuple[str, str]]
    texts: frozenset[str]
    """String constants, which may name a relation for `regclass`."""
    is_dynamic: bool = False
    """True if it also runs a text that is put together at run time."""


class _Collector(Visitor):
    def __init__(self) -> None:
        self.relations: set[tuple[str, str]] = set()
        self.functions: set[tuple[str, str]] = set()
        self.texts: set[str] = set()
        self.ctes: set[str] = set()

    def visit_RangeVar(self, _: Any, node: Any) -> None:
        self.relations.add((node.schemaname or "", node.relname or ""))

    def visit_FuncCall(self, _: Any, node: Any) -> None:
        names = [part.sval for part in node.funcname]
        self.functions.add((names[0] if len(names) > 1 else "", names[-1]))

    def visit_CommonTableExpr(self, _: Any, node: Any) -> None:
        self.ctes.add(node.ctename)

    def visit_A_Const(self, _: Any, node: Any) -> None:
        if isinstance(node.val, ast.String):
            self.texts.add(node.val.sval or "")


def names_in(sql: str) -> Names:
    """What some statements name; their own CTEs are left out."""
    collector = _Collector()
    collector(parse_sql(sql))
    ctes = {("", name) for name in collector.ctes}
    return Names(
        relations=frozenset(collector.relations - ctes),
        functions=frozenset(collector.functions),
        texts=frozenset(collector.texts),
    )


def names_in_function(definition: str) -> Names:
    """What the body of a function names, given as `pg_get_functiondef` writes it."""
    (raw,) = parse_sql(definition)
    statement: Any = raw.stmt
    options = {option.defname: option.arg for option in statement.options}
    if options["language"].sval == "sql":
        return names_in(options["as"][0].sval)
    # The parser knows no table, so variables of a table's row type are declared as plain records.
    declared, begin, body = definition.partition("\nbegin\n")
    rows = {(m[2], m[3]) for m in _DECLARED_ROW.finditer(declared)}
    tree = parse_plpgsql(_DECLARED_ROW.sub(r"\1record\4", declared) + begin + body)
    parts = [names_in(text) for text in _statements(tree)]
    return Names(
        relations=frozenset(rows).union(*(part.relations for part in parts)),
        functions=frozenset().union(*(part.functions for part in parts)),
        texts=frozenset().union(*(part.texts for part in parts)),
        is_dynamic="PLpgSQL_stmt_dynexecute" in json.dumps(tree),
    )


def _statements(tree: Any) -> Iterator[str]:
    """Every expression and statement of a parsed body, as SQL that stands by itself."""
    if isinstance(tree, list):
        for item in tree:
            yield from _statements(item)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key == "PLpgSQL_expr":
                yield _as_statement(value["query"], value["parseMode"])
            else:
                yield from _statements(value)


def _as_statement(text: str, mode: int) -> str:
    if mode == _EXPRESSION:
        return f"select {text}"
    if mode in _ASSIGNMENTS:
        return "select " + re.split(r":=|=", text, maxsplit=1)[1]
    return text


def stars_over_tables(sql: str) -> list[str]:
    """Where `*` stands for the columns of a table: any migration may change what it gives."""
    finder = _StarFinder()
    finder(parse_sql(sql))
    return finder.found


class _StarFinder(Visitor):
    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_SelectStmt(self, _: Any, node: Any) -> None:
        self._look(node.targetList, node.fromClause)

    def visit_InsertStmt(self, _: Any, node: Any) -> None:
        self._look(_returned(node), (node.relation,))

    def visit_UpdateStmt(self, _: Any, node: Any) -> None:
        self._look(_returned(node), (node.relation, *(node.fromClause or ())))

    def visit_DeleteStmt(self, _: Any, node: Any) -> None:
        self._look(_returned(node), (node.relation, *(node.usingClause or ())))

    def _look(self, targets: Any, sources: Any) -> None:
        tables = dict(table for source in sources or () for table in _tables(source))
        for target in targets or ():
            fields = getattr(target.val, "fields", None) or ()
            if fields and isinstance(fields[-1], ast.A_Star):
                alias = fields[0].sval if len(fields) > 1 else None
                self.found += [t for a, t in tables.items() if alias in (None, a)]


def _returned(node: Any) -> Any:
    return node.returningClause.exprs if node.returningClause else ()


def _tables(source: Any) -> Iterator[tuple[str, str]]:
    """The tables of a FROM item by the names under which they go there; a CTE has no schema."""
    match source:
        case ast.RangeVar(schemaname=str(schema), relname=str(name), alias=alias):
            yield str(alias.aliasname) if alias else name, f"{schema}.{name}"
        case ast.JoinExpr(larg=left, rarg=right):
            yield from _tables(left)
            yield from _tables(right)
