"""Status: how far each tenant's tables are built, how well, and which files were refused.

Belongs here: figures from the ledger, the file register and the landing zone's listing. Not here: what ought to be
built, which `plan` computes; `stale` asks it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

import polars as pl

from lakehouse_assets.lake.errors import LandingError
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import LandingFile
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.plan import plan_of_landings, source_files

NAME = ("domain", "layer", "table")
GROUP = (*NAME, "tenant_id")
STATUS_SCHEMA: dict[str, pl.DataType] = {
    "table": pl.String(),
    "tenant_id": pl.String(),
    "partitions": pl.Int64(),
    "first_date": pl.Date(),
    "last_date": pl.Date(),
    "landed_to": pl.Date(),
    "days_behind": pl.Int64(),
    "rows": pl.Int64(),
    "rows_in": pl.Int64(),
    "rows_rejected": pl.Int64(),
    "quality_score": pl.Float64(),
    "older_code": pl.Int64(),
    "dropped": pl.Int64(),
    "built_at": pl.Datetime("us", "UTC"),
    "run_id": pl.String(),
}


class Status(NamedTuple):
    """`tables` has a row per table and tenant (STATUS_SCHEMA); `refused` the files that were not ingested, by path
    and reason.

    `landing_fault` says why the landing zone could not be listed, None where it could.
    """

    tables: pl.DataFrame
    refused: pl.DataFrame
    landing_fault: str | None


def status(
    house: Lakehouse, *, tenants: Collection[str] | None = None, tables: Collection[TableName] | None = None
) -> Status:
    """The state of these tables (None: all) for these tenants (None: all that have a partition).

    `landed_to` is the newest ingest date of the sources that a table comes from, `days_behind` how far its newest
    partition is short of it; `older_code` counts partitions built by other code than today's, `dropped` those whose
    rows retention took out, which no other figure counts. Raises no error where the landing zone is away.
    """
    chosen = [name for name in house.tables if tables is None or name in tables]
    files: list[LandingFile] = []
    refused: list[tuple[str, str]] = []
    fault = None
    try:
        listing = house.landing.list(sources=house.sources.values(), tenants=tenants)
        files = listing.files
        refused = [*listing.refused, *house.landing.unclaimed(house.sources.values())]
    except LandingError as error:
        fault = str(error)
    register = house.files.read(tenants=tenants).filter(pl.col("refused").is_not_null())
    unread = pl.DataFrame(refused, schema={"path": pl.String, "reason": pl.String}, orient="row")
    all_refused = pl.concat([register.select("path", pl.col("refused").alias("reason")), unread]).unique().sort("path")
    return Status(_tables(house, chosen, tenants, files), all_refused, fault)


def stale(house: Lakehouse, tenants: Collection[str] | None = None) -> pl.DataFrame:
    """Partitions that are missing or stale by table and tenant: `table`, `tenant_id`, `stale`.

    Due are those that something landed for, and all that were built; new files are opened to learn their dates.
    """
    everyone = house.landing.tenants().tenant_ids if tenants is None else list(tenants)
    plan = plan_of_landings(house, everyone)
    rows = [
        (str(name), partition.tenant_id)
        for name in house.tables
        for partition in plan.build[name] | plan.stale_downstream[name]
    ]
    found = pl.DataFrame(rows, schema={"table": pl.String, "tenant_id": pl.String}, orient="row")
    return found.group_by("table", "tenant_id").agg(pl.len().cast(pl.Int64).alias("stale")).sort("table", "tenant_id")


def _tables(
    house: Lakehouse, chosen: Collection[TableName], tenants: Collection[str] | None, files: list[LandingFile]
) -> pl.DataFrame:
    ledger = house.ledger.read(tenants=tenants, tables=chosen)
    code = pl.DataFrame(
        [(*name, house.tables[name].code_version) for name in chosen], schema=[*NAME, "_code"], orient="row"
    )
    there = pl.col("table_version").is_not_null()
    newest = pl.col("built_at").arg_max()
    figures = (
        ledger.join(code, on=list(NAME))
        .group_by(GROUP)
        .agg(
            there.sum().cast(pl.Int64).alias("partitions"),
            pl.col("date").filter(there).min().alias("first_date"),
            pl.col("date").filter(there).max().alias("last_date"),
            *(pl.col(name).filter(there).sum().alias(name) for name in ("rows_written", "rows_in", "rows_rejected")),
            (there & (pl.col("code_version") != pl.col("_code"))).sum().cast(pl.Int64).alias("older_code"),
            (~there).sum().cast(pl.Int64).alias("dropped"),
            pl.col("built_at").max(),
            pl.col("run_id").get(newest),
        )
    )
    landed = _landed_to(house, chosen, files)
    order = {str(name): position for position, name in enumerate(house.tables)}
    score = 1 - pl.col("rows_rejected") / pl.when(pl.col("rows_in") > 0).then("rows_in")
    behind = (pl.col("landed_to") - pl.col("last_date")).dt.total_days().clip(lower_bound=0)
    return (
        figures.with_columns(
            pl.concat_str(NAME, separator=".").alias("table"), score.fill_null(1.0).alias("quality_score")
        )
        .join(landed, on=["table", "tenant_id"], how="left")
        .with_columns(behind.alias("days_behind"), pl.col("rows_written").alias("rows"))
        .sort("tenant_id", pl.col("table").replace_strict(order, return_dtype=pl.Int64))
        .select(pl.col(name).cast(dtype) for name, dtype in STATUS_SCHEMA.items())
    )


def _landed_to(house: Lakehouse, chosen: Collection[TableName], files: list[LandingFile]) -> pl.DataFrame:
    newest: dict[TableName, dict[str, date]] = {}
    for name, table in house.tables.items():
        mine = newest.setdefault(name, {})
        for file in source_files(name, files) if name in house.sources else ():
            mine[file.tenant_id] = max(file.date, mine.get(file.tenant_id, file.date))
        for upstream in table.reads:
            for tenant, day in newest[upstream].items():
                mine[tenant] = max(day, mine.get(tenant, day))
    rows = [(str(name), tenant, day) for name in chosen for tenant, day in newest[name].items()]
    return pl.DataFrame(rows, schema={"table": pl.String, "tenant_id": pl.String, "landed_to": pl.Date}, orient="row")
