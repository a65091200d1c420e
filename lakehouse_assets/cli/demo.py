"""`lakehouse demo`: the landing zone through every layer, and a summary to look at."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import polars as pl

from lakehouse_assets.cli.build import carry_out, dates_asked_for, outcome, tell
from lakehouse_assets.cli.instance import dagster_instance
from lakehouse_assets.cli.show import grid_of, rows, say, say_json
from lakehouse_assets.house import open_house
from lakehouse_assets.lake import quarantine, status
from lakehouse_assets.lake.catalog import catalog_tables
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.sql import query, rows_as_json


class Question(NamedTuple):
    """What the demo asks about one tenant: its name in JSON, its title, the table it needs, and the statement."""

    name: str
    title: str
    table: str
    statement: str


TOP = Question(
    "top_customers",
    "Top customers",
    "crm.gold.top_customers",
    "select rank, customer_name, industry, total_revenue, lead_score, lead_quality from crm.gold.top_customers "
    "where date = (select max(date) from crm.gold.top_customers) order by rank limit 5",
)
QUESTIONS = (
    TOP,
    Question(
        "revenue_by_day",
        "Revenue by day",
        "commerce.gold.daily_revenue",
        "select date, sum(transactions)::bigint as transactions, sum(revenue) as revenue, sum(refunds) as refunds, "
        "sum(net_revenue) as net_revenue from commerce.gold.daily_revenue group by date order by date desc limit 7",
    ),
    Question(
        "alerts_by_severity",
        "Device alerts of a week by severity",
        "commerce.gold.anomaly_alerts",
        "select severity, count(distinct alert_id) as alerts, count(*) as windows, max(window_end) as last_seen "
        "from commerce.gold.anomaly_alerts where date > (select max(date) - 7 from commerce.gold.anomaly_alerts) "
        "group by severity order by severity",
    ),
    Question(
        "best_customers",
        "Customers by revenue of a year",
        "commerce.gold.customer360",
        "select customer_id, region, orders, revenue, refunds, days_since_last_order, anomalies_30d, rfm_segment "
        "from commerce.gold.customer360 where date = (select max(date) from commerce.gold.customer360) "
        "order by revenue desc, customer_id limit 5",
    ),
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
    tenant = min(tenants or found.tables["tenant_id"].unique().to_list(), default=None)
    answers = _answers(house, tenant, set(tables["table"])) if tenant else {}
    if as_json:
        told = {question.name: {tenant: rows_as_json(answer)} for question, answer in answers.items()}
        say_json({"tables": rows(tables), "quarantine": rows(rules), **told, "backfill": outcome(result)})
    elif tenant:
        _tell(house, tables, rules, tenant, answers)
    if not result.is_complete:
        if not as_json:
            tell(result)
        raise SystemExit(1)


def _answers(house: Lakehouse, tenant: str, built: Collection[str]) -> dict[Question, pl.DataFrame]:
    """What the lake says of a tenant, as far as there is something to ask."""
    names, lake = catalog_tables(house.tables), house.lake
    return {
        question: query(question.statement, root=lake.root, tables=names, tenant=tenant, storage_options=lake.options)
        for question in QUESTIONS
        if question.table in built
    }


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


def _tell(
    house: Lakehouse, tables: pl.DataFrame, rules: pl.DataFrame, tenant: str, answers: dict[Question, pl.DataFrame]
) -> None:
    say(grid_of("What was built", tables))
    say(grid_of("What was set aside", rules) if rules.height else "No row was set aside.")
    for question, answer in answers.items():
        say(grid_of(f"{question.title} of {tenant}", answer))
    say("", "Where to look next", *_next_steps(house, tenant))


def _next_steps(house: Lakehouse, tenant: str) -> Collection[str]:
    return (
        f"  the tables           {house.lake.root}",
        "  in the browser       make dev, then http://localhost:3000",
        f'  the same in SQL      lakehouse sql --tenant {tenant} "{TOP.statement}"',
        "  rows set aside       lakehouse quarantine show",
        "  tables by tenant     lakehouse status",
        "  after new files      lakehouse plan, lakehouse backfill",
    )
