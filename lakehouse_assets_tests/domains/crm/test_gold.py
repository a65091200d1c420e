"""Gold as its contracts promise it: columns and types, the order of the rows, and the top customers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.domains.crm.gold import (
    gold_channel_performance,
    gold_customer_features,
    gold_sales_summary,
    gold_top_customers,
)
from lakehouse_assets.domains.crm.platinum import platinum_conversion_model
from lakehouse_assets.house import tables
from lakehouse_assets.lake.judge import judge
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window

D = date(2026, 3, 31)
DAY = timedelta(days=1)
WINDOW = Window("acme", D, D + DAY)


def silver(name: str, rows: list[dict[str, Any]]) -> pl.LazyFrame:
    schema = tables()[TableName("crm", "silver", name)].schema
    return pl.LazyFrame(rows, {"date": pl.Date, **schema})


def inputs(customers: list[str]) -> dict[str, pl.LazyFrame]:
    days = WINDOW.dates()
    return {
        "silver_customers_clean": silver(
            "customers_clean",
            [
                {"date": day, "customer_id": one, "customer_name": one.title(), "industry": "unknown"}
                for day in reversed(days)
                for one in reversed(customers)
            ],
        ),
        "silver_leads_clean": silver(
            "leads_clean",
            [
                {"date": day, "lead_id": "L1", "customer_id": "c1", "status": "closed_won", "closed_date": D}
                | {"deal_value": 500.0, "created_date": D - 9 * DAY}
                for day in days
            ]
            + [
                {"date": D, "lead_id": "L2", "customer_id": "c1", "status": "proposal", "created_date": D - 9 * DAY},
            ],
        ),
        "silver_interactions_clean": silver(
            "interactions_clean",
            [
                {"date": D - DAY, "_ingest_date": D, "interaction_id": f"I{n}", "customer_id": "c1", "lead_id": "L1"}
                | {"channel": channel, "outcome": "positive", "duration_minutes": 5.0, "response_minutes": 1.0}
                | {"interaction_at": datetime(2026, 3, 30, 9, tzinfo=UTC)}
                for n, channel in enumerate(["whatsapp", "call"])
            ],
        ),
    }


def features(customers: list[str]) -> pl.LazyFrame:
    given = inputs(customers)
    model = platinum_conversion_model(**given, window=WINDOW)
    return gold_customer_features(**given, platinum_conversion_model=model, window=WINDOW)


def computed(name: str) -> pl.LazyFrame:
    given = inputs(["c1", "c2"])
    leads, interactions = given["silver_leads_clean"], given["silver_interactions_clean"]
    match name:
        case "sales_summary":
            return gold_sales_summary(leads, interactions, WINDOW)
        case "channel_performance":
            return gold_channel_performance(leads, interactions, WINDOW)
        case "top_customers":
            return gold_top_customers(features(["c1", "c2"]))
        case _:
            return features(["c1", "c2"])


@pytest.mark.parametrize("name", ["customer_features", "sales_summary", "channel_performance", "top_customers"])
def test_a_gold_table_keeps_its_contract_and_is_sorted_by_its_key(name: str) -> None:
    table = tables()[TableName("crm", "gold", name)]
    frame = computed(name)
    schema = frame.collect_schema()
    assert {column: schema[column] for column in table.schema} == dict(table.schema)
    assert judge(frame, table.judged_rules).rejected.collect().is_empty()
    rows = frame.collect()
    assert set(rows["date"]) == set(WINDOW.dates())
    assert rows.select("date", *table.key).equals(rows.select("date", *table.key).sort("date", *table.key))


def test_only_customers_with_an_open_deal_have_a_probability_and_the_model_that_gave_it() -> None:
    rows = features(["c1", "c2"]).select("probability_to_convert", "probability_model").collect().rows()
    (probability, model), *others = rows
    assert 0 < probability < 1
    assert len(model) == 64
    assert others == [(None, None)] * 3


def test_top_customers_are_fifty_by_revenue_then_by_id() -> None:
    frame = features([f"c{n}" for n in range(60)])
    rows = (
        gold_top_customers(frame).filter(pl.col("date") == D).select("rank", "customer_id", "total_revenue").collect()
    )
    ids = ["c1", *sorted(f"c{n}" for n in range(60) if n != 1)]
    assert rows.rows() == [(n + 1, one, 500.0 if one == "c1" else 0.0) for n, one in enumerate(ids[:50])]
