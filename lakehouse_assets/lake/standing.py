"""Rows that stand: what other tables, and other rows of their date, say of them.

Belongs here: flags of references and of shared values, and columns that are looked up, all of which depend on the date
and so come after settling. Not here: rules on a row alone (`judge`), which rows stand (`settle`).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from lakehouse_assets.lake.judge import FLAGS, names_of, rules_with
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.table import Table

# Called with a table's name: its rows of the dates at hand.
type_of_scan = Callable[[TableName], pl.LazyFrame]
FOUND = "_found"
BITS = pl.UInt64


def row_flags(table: Table) -> list[str]:
    """The flags that a row's own values decide, in the order of their bits."""
    return [rule.name for rule in rules_with(table.judged_rules, "flag")]


def flag_names(table: Table) -> list[str]:
    """All flags of a table in the order of their bits: those of the row alone first."""
    return [*row_flags(table), *table.set_flags]


def complete(table: Table, settled: pl.LazyFrame, scan: type_of_scan) -> pl.LazyFrame:
    """Add the looked-up columns and `quality_flags`, from the mask of the row's own flags and those added here."""
    bits = {name: 1 << bit for bit, name in enumerate(flag_names(table))}
    for column in sorted({given.column for given in table.joined}):
        settled = _joined(table, settled, column, scan, bits)
    for name, column in table.shared.items():
        counts = settled.filter(pl.col(column).is_not_null()).group_by("date", column).agg(pl.len().alias(FOUND))
        several = counts.filter(pl.col(FOUND) > 1)
        settled = settled.join(several, on=["date", column], how="left")
        settled = _flagged(settled, pl.col(FOUND).is_not_null(), bits[name]).drop(FOUND)
    return settled.with_columns(names_of(FLAGS, list(bits)).alias("quality_flags"))


def _joined(table: Table, settled: pl.LazyFrame, column: str, scan: type_of_scan, bits: dict[str, int]) -> pl.LazyFrame:
    """Join each table that the column refers to once, for its flag and for what is looked up there."""
    flags = {given.table: name for name, given in table.references.items() if given.column == column}
    lookups = {name: given for name, given in table.lookups.items() if given.column == column}
    for other in sorted({*flags, *(given.table for given in lookups.values())}):
        wanted = {name: given for name, given in lookups.items() if given.table == other}
        values = [pl.col(given.value).alias(name) for name, given in wanted.items()]
        known = scan(TableName.of_parameter(table.name.domain, other))
        known = known.select("date", column, *values, pl.lit(1).alias(FOUND))
        settled = settled.join(known if wanted else known.unique(), on=["date", column], how="left")
        if other in flags:
            missing = pl.col(FOUND).is_null() & pl.col(column).is_not_null()
            settled = _flagged(settled, missing, bits[flags[other]])
        defaults = [pl.col(n).fill_null(g.otherwise) for n, g in wanted.items() if g.otherwise is not None]
        settled = settled.with_columns(defaults).drop(FOUND)
    return settled


def _flagged(rows: pl.LazyFrame, where: pl.Expr, bit: int) -> pl.LazyFrame:
    added = pl.when(where).then(pl.lit(bit, BITS)).otherwise(pl.lit(0, BITS))
    return rows.with_columns((pl.col(FLAGS) | added).alias(FLAGS))
