"""Column lineage: from which columns of which tables each column is computed, found by watching the table functions.

Belongs here: calling a pure function on a few made-up rows and noting the columns that Polars asks its inputs for when
one column of the result is wanted. Not here: where lineage is kept and shown.

What the bare dates of the result ask for (keys of joins, columns of filters) decides which rows there are. Every column
asks for it, so it is left out as far as it says nothing of the column. What a function computes while it is called, as
a model does, is told of the columns that take it up again from memory.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import polars as pl
from polars.io.plugins import register_io_source

from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.judge import FLAGS, judge, rules_with, with_deleted, with_raw
from lakehouse_assets.lake.live_files import PARTITION_SCHEMA
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window
from lakehouse_assets.lake.table import Table, type_of_function

type_of_pair = tuple[str, str]
type_of_lineage = dict[str, list[list[str]]]
FLAGS_COLUMN = "quality_flags"


# Two dates, so that a function that is quicker for one takes its general way.
WINDOW = Window("any", date(2024, 1, 1), date(2024, 1, 2))
# Far enough before it for every window, with month ends to learn from.
START = date(2023, 1, 1)


@dataclass
class _Watch:
    """Notes which columns of which tables are asked for."""

    asked: set[type_of_pair] = field(default_factory=set)

    def frame(self, name: TableName, rows: pl.DataFrame) -> pl.LazyFrame:
        """A table that tells what it is asked for."""

        def read(
            with_columns: list[str] | None, predicate: pl.Expr | None, _rows: int | None, _batch: int | None
        ) -> Iterator[pl.DataFrame]:
            columns = rows.columns if with_columns is None else with_columns
            filtered = predicate.meta.root_names() if predicate is not None else []
            self.asked.update((str(name), column) for column in (*columns, *filtered))
            yield (rows if predicate is None else rows.filter(predicate)).select(columns)

        return register_io_source(read, schema=rows.schema)

    def taken(self) -> set[type_of_pair]:
        """What was asked for since the last call."""
        asked, self.asked = self.asked, set()
        return asked


def column_lineage(tables: Mapping[TableName, Table]) -> dict[str, type_of_lineage]:
    """By table and column, the sorted pairs of upstream table and column; tables read from files have none.

    `tables` has an input before its readers. Here a table of a source has one made-up row a date, bronze none, and
    every other table what its function makes of that: a model is learnt, and a table that needs it finds it.
    """
    rows: dict[TableName, pl.DataFrame] = {}
    found: dict[str, dict[str, set[type_of_pair]]] = {}
    for name, table in tables.items():
        watch = _Watch()
        if table.source is not None:
            rows[name] = _made_up(table, _dates_read(name, tables))
            if table.kind != "bronze":
                found[str(name)] = _of_text(table, rows, watch)
        else:
            result = _called(table, rows, watch)
            found[str(name)] = _of_tables(table, result, watch)
            tenant = pl.lit(WINDOW.tenant_id).alias("tenant_id")
            rows[name] = result.with_columns(tenant).select([*table.schema, *PARTITION_SCHEMA]).collect()
    return {
        name: {column: [list(pair) for pair in sorted(read)] for column, read in sorted(columns.items())}
        for name, columns in sorted(found.items())
    }


def _dates_read(name: TableName, tables: Mapping[TableName, Table]) -> list[date]:
    windows = [table.reads[name] for table in tables.values() if name in table.reads]
    return sorted({day for window in windows for day in window.union(WINDOW.first, WINDOW.last, START)})


def _made_up(table: Table, dates: Sequence[date]) -> pl.DataFrame:
    """One row on each date, the same but for its dates and times."""
    days = pl.Series("date", dates, dtype=pl.Date)
    partition = {"tenant_id": pl.lit(WINDOW.tenant_id), "date": pl.col("date")}
    columns = {name: _value(dtype) for name, dtype in table.schema.items()} | partition
    return days.to_frame().select(value.alias(name) for name, value in columns.items())


def _value(dtype: pl.DataType) -> pl.Expr:
    if dtype.is_temporal():
        return pl.col("date").cast(dtype)
    if dtype == pl.Boolean:
        return pl.lit(value=True)
    if dtype.is_nested() or dtype == pl.Binary:
        return pl.lit(None, dtype)
    return pl.lit("1").cast(dtype)


def _of_tables(table: Table, result: pl.LazyFrame, watch: _Watch) -> dict[str, set[type_of_pair]]:
    while_called = {pair for pair in watch.taken() if pair[1] not in PARTITION_SCHEMA}
    rows = _asked(result, "date", watch)
    found = {}
    for column in table.schema:
        asked = _asked(result, column, watch)
        own = asked.scanned - rows.scanned
        if asked.from_memory != rows.from_memory:
            own |= while_called
        found[column] = _with_rows(column, own, rows.scanned)
    # What a function took while it was called and made no frame of, a number say, may be in every column.
    untold = while_called - set().union(*found.values())
    return {column: own | untold for column, own in found.items()}


class _Asked(NamedTuple):
    """What one column asks for: (table, column) pairs, and the parts of the plan that read frames in memory."""

    scanned: set[type_of_pair]
    from_memory: list[str]


def _asked(result: pl.LazyFrame, column: str, watch: _Watch) -> _Asked:
    wanted = result.select(column)
    wanted.collect(engine="in-memory")  # a few rows: no pipeline is worth its start
    plan = (line.strip() for line in wanted.explain().splitlines())
    return _Asked(watch.taken(), [line for line in plan if line.startswith("DF ")])


def _with_rows(column: str, own: set[type_of_pair], rows: set[type_of_pair]) -> set[type_of_pair]:
    """Add what a column has from what decides the rows.

    One that is handed on under its name, nothing. Another, what the tables that it reads have there and is no key
    between tables; where it reads none, whatever table that is of.
    """
    if any(name == column for _, name in own):
        return own
    if same := {pair for pair in rows if pair[1] == column and not own}:
        return same
    names = Counter(name for _, name in rows)
    read = {table for table, _ in own}
    added = {
        (t, name) for t, name in rows if names[name] == 1 and name not in PARTITION_SCHEMA and (t in read or not own)
    }
    return own | added or rows


def _called(table: Table, rows: Mapping[TableName, pl.DataFrame], watch: _Watch) -> pl.LazyFrame:
    arguments: dict[str, Any] = {
        parameter: watch.frame(given.table, rows[given.table]) for parameter, given in table.inputs.items()
    }
    function = _function_of(table)
    parameters = inspect.signature(function).parameters
    if "window" in parameters:
        arguments["window"] = WINDOW
    if "earlier" in parameters:
        arguments["earlier"] = pl.LazyFrame(schema={**table.schema, **PARTITION_SCHEMA})
    return function(**arguments)


def _of_text(table: Table, rows: Mapping[TableName, pl.DataFrame], watch: _Watch) -> dict[str, set[type_of_pair]]:
    """A source is cleaned row by row, so that a column has what it asks for and nothing else."""
    source, bronze = table.source, next(iter(table.inputs.values())).table
    if source is None:
        raise ContractError(f"{table.name} has no source")
    text = with_deleted(with_raw(watch.frame(bronze, rows[bronze]), source), source)
    text = text.with_columns(pl.col("date").alias("_ingest_date"))
    flags = rules_with(table.judged_rules, "flag")
    typed = judge(_function_of(table)(text), flags).all
    own = [column for column in table.schema if column != FLAGS_COLUMN and column not in table.lookups]
    found = {column: _asked(typed, column, watch).scanned for column in own}
    found[FLAGS_COLUMN] = _asked(typed, FLAGS, watch).scanned if flags else set()
    for reference in table.references.values():
        other = TableName.of_parameter(table.name.domain, reference.table)
        found[FLAGS_COLUMN] |= {(str(name), reference.column) for name in (bronze, other)}
    for shared in table.shared.values():
        found[FLAGS_COLUMN] |= found[shared]
    for column, lookup in table.lookups.items():
        looked_up = str(TableName.of_parameter(table.name.domain, lookup.table))
        found[column] = {(str(bronze), lookup.column), (looked_up, lookup.column), (looked_up, lookup.value)}
    return found


def _function_of(table: Table) -> type_of_function:
    if table.function is None:
        raise ContractError(f"{table.name} has no function")
    return table.function
