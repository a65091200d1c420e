"""Silver tables of a made-up tenant, for the tests of the conversion model."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from lakehouse_assets.domains.crm.conversion import (
    HORIZON,
    SNAPSHOTS,
    conversion_model,
)
from lakehouse_assets.lake.partitions import Window

START = date(2024, 1, 1)
T = date(2024, 1, 31)
LATER = T + HORIZON
LEADS: dict[str, type[pl.DataType] | pl.DataType] = {
    "date": pl.Date,
    "lead_id": pl.String,
    "customer_id": pl.String,
    "status": pl.String,
    "deal_value": pl.Float64,
    "created_date": pl.Date,
    "closed_date": pl.Date,
    "updated_at": pl.Datetime("us", "UTC"),
    "_ingest_date": pl.Date,
}
CUSTOMERS: dict[str, type[pl.DataType] | pl.DataType] = {
    "date": pl.Date,
    "customer_id": pl.String,
    "customer_name": pl.String,
    "industry": pl.String,
    "employee_count": pl.Int64,
    "annual_revenue": pl.Float64,
}
INTERACTIONS: dict[str, type[pl.DataType] | pl.DataType] = {
    "date": pl.Date,
    "interaction_id": pl.String,
    "customer_id": pl.String,
    "lead_id": pl.String,
    "channel": pl.String,
    "outcome": pl.String,
    "interaction_at": pl.Datetime("us", "UTC"),
    "_ingest_date": pl.Date,
}


class Silver(NamedTuple):
    leads: pl.LazyFrame
    interactions: pl.LazyFrame
    customers: pl.LazyFrame


def lead(day: date, lead_id: str, status: str, closed: date | None = None, **given: Any) -> dict[str, Any]:
    row = {"date": day, "lead_id": lead_id, "customer_id": "C1", "status": status, "deal_value": 100.0}
    return row | {"created_date": START, "closed_date": closed, "updated_at": None, "_ingest_date": day} | given


def interaction(day: date, *, ingest: date | None = None, **given: Any) -> dict[str, Any]:
    at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    row = {"date": day, "interaction_id": f"I{day}", "customer_id": "C1", "lead_id": None, "channel": "call"}
    return row | {"outcome": "positive", "interaction_at": at, "_ingest_date": ingest or day} | given


def silver(
    leads: list[dict[str, Any]], interactions: list[dict[str, Any]] | None = None, customers: tuple[str, ...] = ("C1",)
) -> Silver:
    grid = [{"date": day, "customer_id": customer} for day in (T, LATER) for customer in customers]
    return Silver(
        pl.LazyFrame(leads, schema=LEADS),
        pl.LazyFrame(interactions or [], schema=INTERACTIONS),
        pl.LazyFrame(grid, schema=CUSTOMERS),
    )


NOTHING = silver([], customers=())


def crm(signal: float, *, last: date, customers: int = 300, deals: int = 900, seed: int = 0) -> Silver:
    """A tenant whose customers differ in how readily they buy by `signal` (0: not at all), at every date that is read.

    Interactions land a day late. Leads stay open for about ten weeks.
    """
    random = np.random.default_rng(seed)
    readiness = random.normal(size=customers)
    owner = random.integers(customers, size=deals)
    days = (last - START).days
    created = random.integers(-60, days, size=deals)
    closed = created + random.geometric(1 / 70, size=deals)
    won = random.random(deals) < 1 / (1 + np.exp(0.8 - signal * readiness[owner]))
    touches = np.sort(random.integers(-200, days, size=customers * 12))
    whose = random.integers(customers, size=len(touches))
    positive = random.random(len(touches)) < 1 / (1 + np.exp(-signal * readiness[whose]))
    whole = pl.DataFrame(
        {
            "lead_id": [f"L{n:06}" for n in range(deals)],
            "customer_id": [f"C{n:05}" for n in owner],
            "ending": np.where(won, "closed_won", "closed_lost"),
            "deal_value": random.lognormal(9, 1, deals).round(2),
            "created_date": [START + timedelta(days=int(n)) for n in created],
            "ended": [START + timedelta(days=int(n)) for n in closed],
        }
    )
    at = pl.Series([START + timedelta(days=int(n)) for n in touches])
    read = pl.LazyFrame({"date": SNAPSHOTS.dates(last, START)}, schema={"date": pl.Date})
    is_closed = pl.col("ended") <= pl.col("date")
    leads = (
        read.join(whole.lazy(), how="cross")
        .filter(pl.col("created_date") <= pl.col("date"))
        .with_columns(
            pl.when(is_closed).then("ending").otherwise(pl.lit("proposal")).alias("status"),
            pl.when(is_closed).then("ended").alias("closed_date"),
            pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("updated_at"),
            pl.max_horizontal(pl.lit(START), pl.when(is_closed).then("ended").otherwise("created_date")).alias(
                "_ingest_date"
            ),
        )
        .select(list(LEADS))
    )
    interactions = pl.LazyFrame(
        {
            "date": at,
            "interaction_id": [f"I{n:07}" for n in range(len(touches))],
            "customer_id": [f"C{n:05}" for n in whose],
            "channel": random.choice(["call", "email", "meeting"], len(touches)),
            "outcome": np.where(positive, "positive", "negative"),
        }
    ).with_columns(
        pl.lit(None, dtype=pl.String).alias("lead_id"),
        pl.col("date").cast(pl.Datetime("us", "UTC")).alias("interaction_at"),
        (pl.col("date") + timedelta(days=1)).alias("_ingest_date"),
    )
    grid = read.join(pl.LazyFrame({"customer_id": [f"C{n:05}" for n in range(customers)]}), how="cross")
    names = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in list(CUSTOMERS.items())[2:]]
    return Silver(leads, interactions.select(list(INTERACTIONS)), grid.with_columns(names))


def trained(tables: Silver, first: date, last: date | None = None, tenant: str = "acme") -> pl.DataFrame:
    return conversion_model(*tables, Window(tenant, first, last or first)).collect()


def champion(models: pl.DataFrame) -> dict[str, Any]:
    return models.filter(pl.col("status") == "champion").row(0, named=True)
