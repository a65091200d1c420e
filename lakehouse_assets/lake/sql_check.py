"""What a statement may do: read known tables, and compute.

Belongs here: taking a statement apart with DuckDB's own parser, and refusing what is not on the lists. Not here:
running it (`sql`) and what the tables are (`catalog`).

Everything is allowed by name (kinds of node, functions, tables): what is unknown is refused. Names are folded in
ASCII only, as DuckDB does, so that no letter passes here as another letter there.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any, NamedTuple

from lakehouse_assets.lake.errors import LakeError
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.sql_functions import FUNCTIONS, TABLE_FUNCTIONS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LONGEST_STATEMENT = 100_000
SHOW_ALL_TABLES = "__show_tables_expanded"

_FOLD = str.maketrans(ascii_uppercase, ascii_lowercase)
_NODES = frozenset(
    {
        "SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE",
        "BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY", "TABLE_FUNCTION",
        "DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER",
        "ASCENDING", "DESCENDING", "ORDER_DEFAULT",
    }
)  # fmt: skip
_EXPRESSIONS = frozenset(
    {
        "BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION",
        "LAMBDA", "OPERATOR", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "TYPE", "WINDOW",
    }
)  # fmt: skip
# How the parser says that a part of a statement is not there.
_ABSENT: tuple[Any, ...] = (None, "", [], {})


class SqlError(LakeError):
    """A statement is refused, or fails. The message never holds a value of a tenant other than the asking one."""


@dataclass
class Checked:
    """A statement that may run, written anew from the tree that was checked, and what it reads."""

    statement: str
    tables: set[TableName] = field(default_factory=set)
    lists_tables: bool = False


def check(statement: str, tables: Collection[TableName]) -> Checked:
    """Take a statement apart; return it as DuckDB writes what was checked, and what it reads.

    Raises SqlError, naming what is refused, for anything but one SELECT (WITH, set operations, VALUES, DESCRIBE,
    SUMMARIZE, PIVOT … IN, SHOW ALL TABLES) over `tables` with the functions of `sql_functions`.
    """
    if len(statement) > LONGEST_STATEMENT:
        raise SqlError(f"the statement has {len(statement)} characters: {LONGEST_STATEMENT} are the most")
    if "\0" in statement:
        raise SqlError("the statement holds a NUL character: take it out")
    try:
        parsed = _parse(statement)
        walk = _Walk({_fold(str(name)): name for name in tables}, parsed)
        walk.visit(parsed.tree, frozenset())
    except RecursionError:
        raise SqlError("the statement is nested too deeply: write it with WITH") from None
    return walk.checked


class _Parsed(NamedTuple):
    """A statement's tree, the same as text, and the names that DuckDB resolves without being told where they are."""

    tree: dict[str, Any]
    text: str
    builtin: frozenset[str]


@cache
def _parser() -> DuckDBPyConnection:
    import duckdb

    # By default the tree is one for older releases, which lacks what those cannot hold.
    config: dict[str, Any] = {"autoload_known_extensions": "false", "storage_compatibility_version": "latest"}
    return duckdb.connect(":memory:", config=config)


def _parse(statement: str) -> _Parsed:
    # A cursor is a connection of its own, so that threads can check at once.
    with _parser().cursor() as parser:
        written = _value(parser, "SELECT json_serialize_sql(?)", statement)
        tree = json.loads(written)
        if tree["error"]:
            if tree["error_type"] == "not implemented":
                raise SqlError("only one SELECT statement is allowed: nothing that writes, attaches, loads or sets")
            raise SqlError(f"the statement cannot be parsed: {tree['error_message']}")
        if len(tree["statements"]) != 1:
            raise SqlError(f"{len(tree['statements'])} statements given: write exactly one")
        text = _value(parser, "SELECT json_deserialize_sql(?)", written)
        builtin = parser.execute("SELECT view_name FROM duckdb_views()").fetchall()
    return _Parsed(tree["statements"][0], text, frozenset(_fold(name) for (name,) in builtin))


def _value(parser: DuckDBPyConnection, question: str, argument: str) -> str:
    row = parser.execute(question, [argument]).fetchone()
    return str(row[0]) if row else ""


def _fold(name: str) -> str:
    return name.translate(_FOLD)


class _Walk:
    """A walk over every part of the tree; `scope` is the names that WITH has given at that place."""

    def __init__(self, known: Mapping[str, TableName], parsed: _Parsed) -> None:
        self.known = known
        self.reserved = parsed.builtin
        self.checked = Checked(parsed.text)

    def visit(self, value: Any, scope: frozenset[str]) -> None:
        if isinstance(value, list):
            for part in value:
                self.visit(part, scope)
        elif isinstance(value, dict):
            self._node(value, scope)

    def _node(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        kind, expression = node.get("type"), node.get("class")
        if expression is not None:
            if expression not in _EXPRESSIONS:
                raise SqlError(f"{expression} expressions are not allowed")
            if expression == "CONSTANT":
                return
            self._function(node, FUNCTIONS)
        elif isinstance(kind, str) and kind not in _NODES and not kind.endswith("_TYPE_INFO"):
            raise SqlError(f"{kind} is not allowed in a statement")
        elif kind == "BASE_TABLE":
            self._table(node, scope)
        elif kind == "SHOW_REF":
            self._show(node)
        elif kind == "TABLE_FUNCTION":
            self._function(node["function"], TABLE_FUNCTIONS)
            arguments = {name: part for name, part in node["function"].items() if name not in {"class", "type"}}
            node = {**node, "function": arguments}
        inner = self._named(node["cte_map"], scope) if "cte_map" in node else scope
        for name, part in node.items():
            # Of a recursion, only the part after UNION may read what it is building.
            recursive = kind == "RECURSIVE_CTE_NODE" and name == "right"
            if name != "cte_map":
                self.visit(part, inner | {_fold(node["cte_name"])} if recursive else inner)

    def _named(self, named: dict[str, Any], scope: frozenset[str]) -> frozenset[str]:
        """Each name of WITH is known to what follows it, and not to itself."""
        for entry in named.get("map", []):
            name = _fold(entry["key"])
            if name in self.reserved or not name.replace("_", "a").isalnum():
                raise SqlError(f"WITH may not name '{entry['key']}': take a plain name that DuckDB does not use itself")
            self.visit(entry["value"], scope)
            scope |= {name}
        return scope

    def _table(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        parts = [node.get(part) for part in ("catalog_name", "schema_name", "table_name")]
        written = ".".join(part for part in parts if part)
        if len([part for part in parts if part]) == 1 and _fold(written) in scope:
            return
        found = self.known.get(_fold(written)) if all(parts) else None
        if found is None:
            raise SqlError(f"there is no table '{written}'{_suggestion(written, self.known)}")
        self.checked.tables.add(found)

    def _show(self, node: dict[str, Any]) -> None:
        if node.get("table_name") == SHOW_ALL_TABLES:
            self.checked.lists_tables = True
        elif node.get("query") in _ABSENT:
            raise SqlError(
                f"SHOW {node.get('table_name', '')} is not allowed: write SHOW ALL TABLES or DESCRIBE <table>"
            )

    def _function(self, node: dict[str, Any], allowed: frozenset[str]) -> None:
        name = node.get("function_name")
        if name in _ABSENT:
            return
        qualifiers = {node.get("schema"), node.get("catalog")} - {None, "", "main", "system"}
        if qualifiers or _fold(str(name)) not in allowed:
            place = "in FROM" if allowed is TABLE_FUNCTIONS else "in a statement"
            raise SqlError(f"function {name}() is not allowed {place}")


def _suggestion(written: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(written, list(known), n=3, cutoff=0.6)
    return (
        f": did you mean {' or '.join(close)}?"
        if close
        else ": write <domain>.<layer>.<table>; SHOW ALL TABLES lists them"
    )
