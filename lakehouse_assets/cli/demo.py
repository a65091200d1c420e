"""`lakehouse demo`: the landing zone through every layer, and a summary to look at."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from lakehouse_assets.cli.build import carry_out, dates_asked_for, outcome, tell
from lakehouse_assets.cli.instance import dagster_instance
from lakehouse_assets.cli.show import grid_of, rows, say, say_json
from lakehouse_assets.cli.sql import tables_of
from lakehouse_assets.house import open_house
from lakehouse_assets.lake import quarantine, status
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.sql import query

TOP = (
    "select rank, customer_name, industry, total_revenue, lead_score, lead_quality from crm.gold.top_customers "
    "where date = (select max(date) from crm.gold.top_customers) order by rank limit 5"
)


def demo(tenants: list[str] | None, *, as_json: bool) -> None:
    """Build all that has landed and show it; raise SystemExit with status 1 where not all is built."""
    house = open_house()
    first, last = dates_asked_for(house, tenants, None, None)
    with dagster_instance() as instance:
        result = carry_out(
            house, list(house.tables), tenants, first, last, instance=instance, rebuild=False, quiet=as_json
        )
    found = status.status(house, tenants=tenants)
    tables = _by_table(found.tables)
    counted = quarantine.counts(house, quarantine.Wanted(tenants=tenants))
    rules = counted.group_by("table", "rule").agg(pl.col("rows").sum()).sort("table", "rule")
    tenant = min(tenants or found.tables["tenant_id"].unique().to_list())
    top = query(TOP, root=house.lake.root, tables=tables_of(house), tenant=tenant, storage_options=house.lake.options)
    if as_json:
        summary = {"tables": rows(tables), "quarantine": rows(rules), "top_customers": {tenant: rows(top)}}
        say_json({**summary, "backfill": outcome(result)})
    else:
        _tell(house, tables, rules, tenant, top)
    if not result.is_complete:
        if not as_json:
            tell(result)
        raise SystemExit(1)


def _by_table(found: pl.DataFrame) -> pl.DataFrame:
    """Status over all tenants, in the order in which tables are built."""
    kept = 1 - pl.col("rows_rejected").sum() / pl.when(pl.col("rows_in").sum() > 0).then(pl.col("rows_in").sum())
    return found.group_by("table", maintain_order=True).agg(
        pl.len().alias("tenants"),
        pl.col("partitions").sum(),
        pl.col("last_date").max(),
        pl.col("rows").sum(),
        pl.col("rows_rejected").sum(),
        kept.fill_null(1.0).alias("quality_score"),
    )


def _tell(house: Lakehouse, tables: pl.DataFrame, rules: pl.DataFrame, tenant: str, top: pl.DataFrame) -> None:
    say(grid_of("What was built", tables))
    say(grid_of("What was set aside", rules) if rules.height else "No row was set aside.")
    say(grid_of(f"Top customers of {tenant}", top))
    say("", "Where to look next", *_next_steps(house, tenant))


def _next_steps(house: Lakehouse, tenant: str) -> Collection[str]:
    return (
        f"  the tables           {house.lake.root}",
        "  in the browser       make dev, then http://localhost:3000",
        f'  the same in SQL      lakehouse sql --tenant {tenant} "{TOP}"',
        "  rows set aside       lakehouse quarantine show",
        "  tables by tenant     lakehouse status",
        "  after new files      lakehouse plan, lakehouse backfill",
    )
