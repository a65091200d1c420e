"""`lakehouse status`: how far and how well each table is built, by tenant."""

from __future__ import annotations

import polars as pl

from lakehouse_assets.cli.show import grid_of, in_colour, rows, say, say_json
from lakehouse_assets.house import open_house
from lakehouse_assets.lake import status as lake_status
from lakehouse_assets.selection import select as select_tables

SHOWN = ("table", "tenant_id", "partitions", "last_date", "days_behind", "rows", "rows_rejected", "quality_score")
SHORT_ID = 8


def status(select: list[str] | None, tenants: list[str] | None, *, with_stale: bool, as_json: bool) -> None:
    """Show the state of tables; with `with_stale`, also how many of their partitions are missing or stale."""
    house = open_house()
    found = lake_status.status(house, tenants=tenants, tables=select_tables(house.tables, select or []))
    tables = found.tables
    if with_stale:
        stale = lake_status.stale(house, tenants)
        tables = tables.join(stale, on=["table", "tenant_id"], how="left", maintain_order="left")
        tables = tables.with_columns(pl.col("stale").fill_null(0))
    if as_json:
        refused = rows(found.refused)
        say_json({"tables": rows(tables), "refused_files": refused, "landing_fault": found.landing_fault})
        return
    if tables.is_empty():
        say("Nothing is built yet. Build it: lakehouse backfill")
    else:
        columns = [*SHOWN, *(name for name in ("older_code", "dropped") if tables[name].sum())]
        columns += ["stale"] if with_stale else []
        last = pl.col("built_at").dt.strftime("%Y-%m-%d %H:%M"), pl.col("run_id").str.head(SHORT_ID).alias("run")
        say(grid_of("Tables by tenant", tables.select(*columns, *last).rename({"tenant_id": "tenant"})))
    if found.landing_fault:
        say(in_colour("yellow", "the landing zone was not looked at:", found.landing_fault))
    if found.refused.height:
        say(grid_of("Not ingested", found.refused))
    say("Rejected rows: lakehouse quarantine list. What is due: lakehouse plan")
