"""Quarantine: the rows set aside, by table, tenant, date and rule, and what a replay of them must build.

Belongs here: reading quarantine tables. Not here: setting rows aside (`judge`, `bronze`) and starting runs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import polars as pl

from lakehouse_assets.lake.bookkeeping import forget
from lakehouse_assets.lake.judge import QUARANTINE_SCHEMA
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import entries, type_of_group
from lakehouse_assets.lake.live_files import PARTITION_SCHEMA
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.plan import without_blocked
from lakehouse_assets.lake.storage import PARTITION_COLUMNS

COUNTED_BY = ("table", "tenant_id", "date", "rule", "column")
ORDER = ("table", "tenant_id", "date", "_source_file", "_row_number")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which quarantined rows are meant: of these tables, tenants, dates and this rule; None means all."""

    tables: Collection[TableName] | None = None
    tenants: Collection[str] | None = None
    first: date | None = None
    last: date | None = None
    rule: str | None = None


def quarantined_rows(house: Lakehouse, wanted: Wanted) -> pl.LazyFrame:
    """The rows meant, as their quarantine tables hold them, with `table`: the table that they were kept out of."""
    parts = [_rows(house, name, wanted) for name in house.tables if wanted.tables is None or name in wanted.tables]
    schema = pl.Schema({"table": pl.String(), **QUARANTINE_SCHEMA})
    return pl.concat([pl.LazyFrame(schema=schema), *parts])


def _rows(house: Lakehouse, name: TableName, wanted: Wanted) -> pl.LazyFrame:
    files = house.lake.files(name.quarantine, **({} if wanted.tenants is None else {"tenant_id": wanted.tenants}))
    if wanted.first:
        files = files.filter(pl.col("date") >= wanted.first)
    if wanted.last:
        files = files.filter(pl.col("date") <= wanted.last)
    rows = house.lake.scan_files(name.quarantine, QUARANTINE_SCHEMA, files["path"].to_list(), PARTITION_SCHEMA)
    if wanted.rule:
        rows = rows.filter(pl.col("rules").list.contains(wanted.rule))
    return rows.select(pl.lit(str(name)).alias("table"), *QUARANTINE_SCHEMA)


def counts(house: Lakehouse, wanted: Wanted) -> pl.DataFrame:
    """Rows by table, tenant, date, rule and the column that broke it, null where the rule is on the whole row.

    A row that broke several rules is counted under each of them.
    """
    rows = quarantined_rows(house, wanted).select("table", *PARTITION_COLUMNS, pl.col("reasons").alias("reason"))
    parts = pl.col("reason").str.split(": ")
    named = rows.explode("reason", empty_as_null=True).with_columns(
        parts.list.last().alias("rule"), pl.when(parts.list.len() > 1).then(parts.list.first()).alias("column")
    )
    if wanted.rule:
        named = named.filter(pl.col("rule") == wanted.rule)
    counted = named.group_by(COUNTED_BY).agg(pl.len().cast(pl.Int64).alias("rows"))
    return counted.sort(COUNTED_BY).collect(engine="streaming")


def partitions_of(house: Lakehouse, wanted: Wanted) -> dict[TableName, set[Partition]]:
    """The partitions whose rows are meant, by table, an input before its readers."""
    held = quarantined_rows(house, wanted).select("table", *PARTITION_COLUMNS).unique().collect(engine="streaming")
    found: dict[TableName, set[Partition]] = {name: set() for name in house.tables}
    for table, tenant, day in held.iter_rows():
        found[TableName.parse(table)].add(Partition(tenant, day))
    return {name: partitions for name, partitions in found.items() if partitions}


def reread(house: Lakehouse, name: TableName, partitions: Collection[Partition]) -> None:
    """Have the next build of these bronze partitions read their files again, though they did not change."""
    drop: dict[type_of_group, list[date]] = {}
    for tenant, day in partitions:
        drop.setdefault((tenant, name), []).append(day)
    forget(house.ledger, drop)


def readers_of(house: Lakehouse, name: TableName, partitions: Collection[Partition]) -> dict[TableName, set[Partition]]:
    """The built partitions of other tables that read any of these, directly or through others."""
    ledger = house.ledger.read(tenants={partition.tenant_id for partition in partitions})
    built: dict[TableName, set[Partition]] = {name: set(partitions)}
    for (table, tenant), dated in entries(ledger.filter(pl.col("table_version").is_not_null())).items():
        if table != name:
            built.setdefault(table, set()).update(Partition(tenant, day) for day in dated)
    free = without_blocked(house, built, {name: partitions})
    found = {table: built.get(table, set()) - free[table] for table in house.tables if table != name}
    return {table: blocked for table, blocked in found.items() if blocked}
