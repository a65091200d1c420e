"""Questions to the lake: one SELECT in, a frame out, for one tenant or for all.

Belongs here: running a statement that passed `sql_check`, and its rows as JSON. Not here: views (`catalog`).

A tenant's statement meets three barriers, each enough by itself: it is refused unless all that it names is on a list;
the tables it names are, on its connection, views of that tenant's rows, and there are no others; and DuckDB may open no
file outside that tenant's partitions.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from lakehouse_assets.lake.catalog import built_tables, open_built
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.sql_check import SqlError, check

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation
    from duckdb.sqltypes import DuckDBPyType

# DuckDB's types that have no equal in Polars come as text.
_AS_TEXT = frozenset({"bignum", "bit", "interval", "time with time zone", "uhugeint", "union", "variant"})
_NOT_FINITE = {math.inf: "Infinity", -math.inf: "-Infinity"}
_PARTITION = re.compile(r"tenant_id=[^/\"'\s]*")


def query(
    statement: str,
    *,
    root: str,
    tables: Iterable[TableName],
    tenant: str | None = None,
    storage_options: Mapping[str, str] | None = None,
    memory_limit: str | None = None,
) -> pl.DataFrame:
    """Answer one SELECT over `tables` of the lake at `root`; with `tenant`, from that tenant's rows only.

    Only the tables that the statement reads are opened. A column name that appears twice gets `_1`, `_2`, … added; an
    interval, a union and the like come as text. `memory_limit` as DuckDB writes it (`2GB`); beyond it, DuckDB spills.
    Raises SqlError for a statement that is refused or fails.
    """
    known = set(tables)
    checked = check(statement, known)
    built = built_tables(root, known if checked.lists_tables else checked.tables, storage_options)
    if missing := sorted(checked.tables - set(built)):
        raise SqlError(f"{missing[0]} is not built yet: `lakehouse backfill --select {missing[0].path}` builds it")
    with open_built(
        root, built, tenant=tenant, storage_options=storage_options, memory_limit=memory_limit, locked=True
    ) as connection:
        return _run(connection, checked.statement, tenant)


def rows_as_json(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows as objects that JSON can hold.

    Decimals are strings, so that no digit is lost; dates and times are ISO 8601; durations are seconds; binary is
    Base64; NaN and the infinities, which JSON lacks, are the strings `NaN`, `Infinity` and `-Infinity`.
    """
    return [{name: _json(value) for name, value in row.items()} for row in frame.iter_rows(named=True)]


def _run(connection: DuckDBPyConnection, statement: str, tenant: str | None) -> pl.DataFrame:
    import duckdb

    try:
        return _frame_or_reason(connection, statement)
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise SqlError(f"the statement fails: {_without_others(str(error), tenant)}") from None


def _frame_or_reason(connection: DuckDBPyConnection, statement: str) -> pl.DataFrame:
    """Rows stream into Polars. A stream that breaks off may only say `Interrupted`: run whole, DuckDB says why."""
    try:
        return _frame(connection.sql(statement))
    except pl.exceptions.PolarsError:
        connection.sql(statement).execute()
        raise


def _frame(relation: DuckDBPyRelation) -> pl.DataFrame:
    """Taken over as Arrow batches, which needs no pyarrow: 2 million rows in .1 s, as Python rows 1 s."""
    names, types = _distinct(relation.columns), relation.types
    columns = list(zip(names, types, strict=True))
    if names != relation.columns or any(_comes_as_text(kind) for kind in types):
        parts = [_projected(position, name, kind) for position, (name, kind) in enumerate(columns, 1)]
        relation = relation.project(", ".join(parts))
    whole = [name for name, kind in columns if kind.id == "hugeint"]
    return pl.DataFrame(relation).with_columns(pl.col(whole).cast(pl.Int128))


def _projected(position: int, name: str, kind: DuckDBPyType) -> str:
    value = f"CAST(#{position} AS VARCHAR)" if _comes_as_text(kind) else f"#{position}"
    quoted = name.replace('"', '""')
    return f'{value} AS "{quoted}"'


def _comes_as_text(kind: DuckDBPyType) -> bool:
    """Whether a type is, or holds, one that Polars lacks."""
    from duckdb.sqltypes import DuckDBPyType

    if kind.id not in {"list", "array", "map", "struct"}:
        return kind.id in _AS_TEXT
    return any(_comes_as_text(child) for _, child in kind.children if isinstance(child, DuckDBPyType))


def _distinct(names: list[str]) -> list[str]:
    taken: list[str] = []
    for name in names:
        free, number = name, 0
        while free in taken or (free != name and free in names):
            number += 1
            free = f"{name}_{number}"
        taken.append(free)
    return taken


def _without_others(message: str, tenant: str | None) -> str:
    """DuckDB's message without its advice on settings, and without the partitions of other tenants in its paths."""
    message = message.partition("\n\nPossible solutions")[0]
    if tenant is None:
        return message
    return _PARTITION.sub(lambda found: found[0] if found[0] == f"tenant_id={tenant}" else "tenant_id=…", message)


def _json(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            found: Any = _NOT_FINITE.get(value, "NaN")
        case None | bool() | int() | float() | str():
            found = value
        case Decimal():
            found = format(value, "f")
        case datetime() | date() | time():
            found = value.isoformat()
        case timedelta():
            found = value.total_seconds()
        case bytes():
            found = base64.b64encode(value).decode("ascii")
        case pl.Series() | list() | tuple():
            found = [_json(part) for part in value]
        case dict():
            found = {str(name): _json(part) for name, part in value.items()}
        case _:
            found = str(value)
    return found
