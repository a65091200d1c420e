"""Features of customers at a point in time: what each date knew of them, and nothing that came later.

Belongs here: pure functions of versions and snapshots, for a range of dates at once. Not here: contracts (`gold_ml`),
which versions count when (`as_known`). Raise `FEATURE_VERSION` with every change of what a feature means, so that no
model is given features that it was not trained on.

A version counts from a date until before another, so that features are sums of changes: a range costs its rows and the
dates on which a customer's features change, not dates × rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from lakehouse_assets.domains.commerce.alerts import with_customer
from lakehouse_assets.domains.commerce.as_known import DAY, counted_between, distinct_between, known
from lakehouse_assets.domains.commerce.categories import favourites
from lakehouse_assets.domains.commerce.customers import CUSTOMER, RECENT_DAYS, TRAILING_DAYS
from lakehouse_assets.domains.commerce.revenue import MONEY
from lakehouse_assets.domains.commerce.states import lasting, on_each_date, running

FEATURE_VERSION = "1"
MONEYS = ("monetary", "revenue_30d", "revenue_prior_30d")
COUNTS = ("frequency", "events_30d", "sessions_30d")


class Inputs(NamedTuple):
    """Snapshots of each date in question, and versions by ingest date from as long before as their figures reach."""

    customers: pl.LazyFrame
    products: pl.LazyFrame
    assignments: pl.LazyFrame
    transactions: pl.LazyFrame  # 365 days
    events: pl.LazyFrame  # 30 days
    anomalies: pl.LazyFrame  # 30 days


def customer_features(given: Inputs, first: date, last: date) -> pl.LazyFrame:
    """The features of each customer that is in `customers` on each date of `first` … `last`, from what had landed then.

    Each date is computed from its own snapshots and from versions landed up to it only.
    """
    transactions = known(given.transactions, ["transaction_id"], last)
    year = counted_between(transactions, 0, TRAILING_DAYS, first, last)
    prior = pl.col("revenue_prior_30d")
    trend = pl.col("revenue_30d").cast(pl.Float64) / prior.cast(pl.Float64)
    return (
        given.customers.filter(pl.col("date").is_between(first, last))
        .join(on_each_date(_sums(transactions, year, given.events, first, last), first, last), on=CUSTOMER, how="left")
        .join(_last_orders(year, last), on=CUSTOMER, how="left")
        .join(_anomalies(given.anomalies, given.assignments, first, last), on=CUSTOMER, how="left")
        .join(on_each_date(favourites(year, given.products, first, last), first, last), on=CUSTOMER, how="left")
        .with_columns(
            pl.col(*COUNTS, "anomalies_30d").fill_null(0),
            pl.col(MONEYS).fill_null(0).cast(MONEY),
            (pl.col("date") - pl.col("signup_date")).dt.total_days().alias("tenure_days"),
            (pl.col("date") - pl.col("_last_order")).dt.total_days().alias("recency_days"),
        )
        .with_columns(pl.when(prior != 0).then(trend).alias("revenue_trend"))
        .drop("_last_order", "signup_date")
    )


def _sums(
    transactions: pl.LazyFrame, year: pl.LazyFrame, events: pl.LazyFrame, first: date, last: date
) -> pl.LazyFrame:
    """Money and counts of each customer on each stretch of dates on which they stay the same."""
    one, amount = pl.lit(1, pl.Int64), pl.col("amount").cast(MONEY)
    recent = counted_between(transactions, 0, RECENT_DAYS, first, last)
    before = counted_between(transactions, RECENT_DAYS, 2 * RECENT_DAYS, first, last)
    orders = distinct_between(year, pl.coalesce("invoice_id", "transaction_id"))
    done = counted_between(known(events, ["event_id"], last), 0, RECENT_DAYS, first, last)
    parts = [
        *_changes(year, "monetary", amount, last),
        *_changes(recent, "revenue_30d", amount, last),
        *_changes(before, "revenue_prior_30d", amount, last),
        *_changes(orders, "frequency", one, last),
        *_changes(done, "events_30d", one, last),
        *_changes(distinct_between(done, "session_id"), "sessions_30d", one, last),
    ]
    changes = pl.concat(parts, how="diagonal").group_by("customer_id", "_from").agg(pl.col(*MONEYS, *COUNTS).sum())
    return lasting(running(changes.sort("customer_id", "_from"), [*MONEYS, *COUNTS], ["customer_id"]), last)


def _changes(rows: pl.LazyFrame, name: str, value: pl.Expr, last: date) -> Sequence[pl.LazyFrame]:
    """By how much the sum `name` of each customer's values changes `_from` which date on."""
    valued = rows.select("customer_id", "_from", "_gone", value.alias(name))
    gone = valued.filter(pl.col("_gone") <= last).select("customer_id", pl.col("_gone").alias("_from"), -pl.col(name))
    return [part.group_by("customer_id", "_from").agg(pl.col(name).sum()) for part in (valued.drop("_gone"), gone)]


def _last_orders(year: pl.LazyFrame, last: date) -> pl.LazyFrame:
    """`_last_order`, the newest business date of each customer's transactions, on each date.

    One that no correction takes away outlasts all earlier ones, which need not be asked for from then on.
    """
    days = distinct_between(year, "business_date")
    whole = pl.min_horizontal(pl.col("_thing") + DAY * TRAILING_DAYS, pl.lit(last + DAY))
    stays = pl.when(pl.col("_gone") == whole).then("_from")
    taken_over = stays.cum_min().forward_fill().shift(1).over("customer_id", order_by="_thing", descending=True)
    until = pl.min_horizontal("_gone", taken_over) - DAY
    return (
        days.with_columns(until.alias("_until"))
        .filter(pl.col("_until") >= pl.col("_from"))
        .select("customer_id", "_thing", pl.date_ranges("_from", "_until").alias("date"))
        .explode("date", empty_as_null=False)
        .group_by(CUSTOMER)
        .agg(pl.col("_thing").max().alias("_last_order"))
    )


def _anomalies(anomalies: pl.LazyFrame, assignments: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """How many anomalies of the 30 days each customer's devices had on each date, as the date knows who had them."""
    landed = anomalies.with_columns(
        pl.col("window_start").dt.date().alias("business_date"),
        pl.lit(None, pl.Date).alias("_replaced"),
    ).with_columns(pl.max_horizontal("date", "business_date").alias("_known"))
    counted = counted_between(landed, 0, RECENT_DAYS, first, last)
    dates = pl.date_ranges("_from", pl.col("_gone") - DAY).alias("date")
    dated = counted.with_columns(dates).explode("date", empty_as_null=False)
    found = with_customer(dated, assignments).filter(pl.col("customer_id").is_not_null())
    return found.group_by(CUSTOMER).agg(pl.len().cast(pl.Int64).alias("anomalies_30d"))


def with_one_hot(rows: pl.LazyFrame, column: str, snapshots: pl.LazyFrame) -> pl.LazyFrame:
    """Add `<column>_levels`, the sorted values that `column` has in `snapshots` of the date, and `<column>_one_hot`,

    which has a 1 where the row's value stands among them and 0 elsewhere; all 0 where the row has none.
    """
    levels = snapshots.select("date", pl.col(column).alias("_level")).drop_nulls().unique()
    values = pl.concat([levels, levels.select("date").unique().with_columns(pl.lit(None, pl.String).alias("_level"))])
    is_level = (pl.col("_level") == pl.col(column)).fill_null(value=False).cast(pl.Int8)
    coded = (
        values.rename({"_level": column})
        .join(levels, on="date")
        .group_by("date", column)
        .agg(is_level.sort_by("_level").alias(f"{column}_one_hot"), pl.col("_level").sort().alias(f"{column}_levels"))
    )
    found = rows.join(coded, on=["date", column], how="left", nulls_equal=True)
    return found.with_columns(pl.col(f"{column}_one_hot", f"{column}_levels").fill_null([]))
