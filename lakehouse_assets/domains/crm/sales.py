"""Sales by day and by channel, for a range of dates at once.

Belongs here: pure functions of snapshots and interactions. Not here: contracts (`gold`) and customers (`features`).
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from lakehouse_assets.domains.crm.features import is_lost, is_won, ratio
from lakehouse_assets.lake.values import exact_sum

CHANNEL_DAYS = 30
MINUTE_DIGITS = 6


def daily_sales(leads: pl.LazyFrame, interactions: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """One row per date of `first` … `last`, also where nothing happened: what was created, won and lost on it.

    `leads` holds the snapshots of the dates and `interactions` their business dates. `revenue` in USD is of the
    date, `revenue_7d`, `revenue_30d` and `win_rate_30d` of the days to it; rates of nothing are null.
    """

    def closed(days: int) -> pl.Expr:
        return pl.col("closed_date").is_between(pl.col("date") - pl.duration(days=days - 1), pl.col("date"))

    def won(days: int) -> pl.Expr:
        return (is_won() & closed(days)).fill_null(value=False)

    def lost(days: int) -> pl.Expr:
        return (is_lost() & closed(days)).fill_null(value=False)

    value = pl.col("deal_value")
    sales = leads.group_by("date").agg(
        *(exact_sum(value.filter(won(days))).alias(name) for name, days in _REVENUES),
        (pl.col("created_date") == pl.col("date")).sum().cast(pl.Int64).alias("deals_created"),
        won(1).sum().cast(pl.Int64).alias("deals_won"),
        lost(1).sum().cast(pl.Int64).alias("deals_lost"),
        value.filter(won(1)).count().alias("_valued"),
        ratio(won(30).sum(), (won(30) | lost(30)).sum()).alias("win_rate_30d"),
    )
    contacts = (
        interactions.group_by("date", "channel")
        .agg(pl.len().cast(pl.Int64).alias("interactions"))
        .sort("date", "interactions", "channel", descending=[False, True, False])
        .group_by("date", maintain_order=True)
        .agg(pl.col("interactions").sum(), pl.col("channel").first().alias("top_channel"))
    )
    counts = ("deals_created", "deals_won", "deals_lost", "interactions")
    deals_won, deals_lost = pl.col("deals_won"), pl.col("deals_lost")
    return (
        pl.LazyFrame({"date": pl.date_range(first, last, eager=True)})
        .join(sales, on="date", how="left")
        .join(contacts, on="date", how="left")
        .with_columns(pl.col(counts).fill_null(0), pl.col([name for name, _ in _REVENUES]).fill_null(0.0))
        .with_columns(
            ratio(deals_won, deals_won + deals_lost).alias("win_rate"),
            ratio(pl.col("revenue"), pl.col("_valued")).alias("avg_deal_value"),
        )
        .drop("_valued")
        .sort("date")
    )


_REVENUES = (("revenue", 1), ("revenue_7d", 7), ("revenue_30d", 30))


def channel_figures(leads: pl.LazyFrame, interactions: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """One row per date of `first` … `last` and channel with an interaction in the 30 days to the date.

    `leads` holds the snapshots of the dates, `interactions` the business dates from 29 days before `first`. Leads
    that an interaction names and that are none on the date do not count as touched.
    """
    since = first - timedelta(days=CHANNEL_DAYS - 1)
    recent = interactions.filter(pl.col("date").is_between(since, last))
    outcomes = recent.group_by("date", "channel").agg(
        pl.len().cast(pl.Int64).alias("interactions"), (pl.col("outcome") == "positive").sum().alias("_positive")
    )
    figures = _to_dates(outcomes, first, last).group_by(DATE_CHANNEL).agg(pl.col("interactions", "_positive").sum())
    customers = _standing(recent, "customer_id", first, last).group_by(DATE_CHANNEL).agg(pl.len().alias("customers"))
    parts = (
        customers,
        _minutes(recent, "response_minutes", first, last),
        _minutes(recent, "duration_minutes", first, last),
        _touched_leads(leads, recent, first, last),
    )
    for part in parts:
        figures = figures.join(part, on=DATE_CHANNEL, how="left")
    positive_rate = ratio(pl.col("_positive"), pl.col("interactions")).alias("positive_rate")
    figures = figures.with_columns(pl.col("customers").cast(pl.Int64), positive_rate)
    return figures.drop("_positive", "median_duration_minutes").sort(DATE_CHANNEL)


DATE_CHANNEL = ["date", "channel"]


def _to_dates(daily: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Each row of a date on every date of `first` … `last` that has it in its 30 days."""
    if first == last:
        return daily.with_columns(pl.lit(first).alias("date"))
    until = pl.min_horizontal(pl.col("date") + pl.duration(days=CHANNEL_DAYS - 1), pl.lit(last))
    dates = pl.date_ranges(pl.max_horizontal("date", pl.lit(first)), until).alias("date")
    return daily.with_columns(dates).explode("date", empty_as_null=False)


def _minutes(recent: pl.LazyFrame, column: str, first: date, last: date) -> pl.LazyFrame:
    """Mean and median, `avg_…` and `median_…`, of a column by date and channel.

    Values are counted before they are added and put in order: minutes repeat, and 30 days of rows need not be held.
    """
    value, times, reached = pl.col(column), pl.col("_times"), pl.col("_times").cum_sum()
    counts = recent.filter(value.is_not_null()).group_by("date", "channel", column).agg(pl.len().alias("_times"))
    tally = _to_dates(counts.cast({"_times": pl.Int64}), first, last).group_by(*DATE_CHANNEL, column).agg(times.sum())
    lower, upper = (value.filter(reached > at).first() for at in ((times.sum() - 1) // 2, times.sum() // 2))
    figures = tally.sort(column).group_by(DATE_CHANNEL, maintain_order=True)
    return figures.agg(
        ratio(exact_sum(value, MINUTE_DIGITS, times), times.sum()).alias(f"avg_{column}"),
        pl.when(lower == upper).then(lower).otherwise((lower + upper) / 2).alias(f"median_{column}"),
    )


def _touched_leads(leads: pl.LazyFrame, recent: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """How the leads stand on each date that were touched through each channel in the 30 days to it."""
    touched = _standing(recent, "lead_id", first, last)
    value, won = pl.col("deal_value"), is_won().fill_null(value=False)
    return (
        touched.join(leads.select("date", "lead_id", "status", "deal_value"), on=["date", "lead_id"], how="inner")
        .group_by(DATE_CHANNEL)
        .agg(
            ratio(won.sum(), pl.len()).alias("conversion_rate"),
            ratio(exact_sum(value.filter(won)), value.filter(won).count()).alias("avg_deal_value"),
        )
    )


def _standing(recent: pl.LazyFrame, column: str, first: date, last: date) -> pl.LazyFrame:
    """Each channel and value of a column once on every date on which one of its interactions counts.

    It counts for 30 days, or until the next one takes over.
    """
    pair = ["channel", column]
    named = recent.filter(pl.col(column).is_not_null())
    if first == last:
        return named.select(pair).unique().with_columns(pl.lit(last).alias("date"))
    until = pl.min_horizontal(
        pl.col("date") + pl.duration(days=CHANNEL_DAYS - 1),
        pl.col("date").shift(-1).over(pair) - pl.duration(days=1),
        pl.lit(last),
    )
    return (
        named.select(*pair, "date")
        .unique()
        .sort(*pair, "date")
        .with_columns(pl.max_horizontal("date", pl.lit(first)).alias("_from"), until.alias("_until"))
        .filter(pl.col("_until") >= pl.col("_from"))
        .select(*pair, pl.date_ranges("_from", "_until").alias("date"))
        .explode("date", empty_as_null=False)
    )
