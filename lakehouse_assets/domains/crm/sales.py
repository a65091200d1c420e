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
    response, duration = pl.col("response_minutes"), pl.col("duration_minutes")
    figures = (
        pl.len().cast(pl.Int64).alias("interactions"),
        pl.col("customer_id").n_unique().cast(pl.Int64).alias("customers"),
        ratio((pl.col("outcome") == "positive").sum(), pl.len()).alias("positive_rate"),
        ratio(exact_sum(response, MINUTE_DIGITS), response.count()).alias("avg_response_minutes"),
        response.median().alias("median_response_minutes"),
        ratio(exact_sum(duration, MINUTE_DIGITS), duration.count()).alias("avg_duration_minutes"),
    )
    by_date = ["date", "channel"]
    return (
        _in_trailing_days(recent, figures, first, last)
        .join(_touched_leads(leads, recent, first, last), on=by_date, how="left")
        .sort(by_date)
    )


def _in_trailing_days(recent: pl.LazyFrame, figures: tuple[pl.Expr, ...], first: date, last: date) -> pl.LazyFrame:
    """The figures of each channel in the 30 days to each date; windows share the rows, which are sorted once."""
    if first == last:
        return recent.group_by("channel").agg(figures).with_columns(pl.lit(first).alias("date"))
    days = CHANNEL_DAYS - 1
    windows = recent.sort("date").group_by_dynamic(
        "date", every="1d", period=f"{CHANNEL_DAYS}d", offset=f"-{days}d", group_by="channel"
    )
    to_date = pl.col("date") + pl.duration(days=days)
    return windows.agg(figures).with_columns(to_date).filter(pl.col("date").is_between(first, last))


def _touched_leads(leads: pl.LazyFrame, recent: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """How the leads stand on each date that were touched through each channel in the 30 days to it."""
    touches = recent.filter(pl.col("lead_id").is_not_null()).select("channel", "lead_id", "date").unique()
    value, won = pl.col("deal_value"), is_won().fill_null(value=False)
    return (
        _standing_touches(touches, first, last)
        .join(leads.select("date", "lead_id", "status", "deal_value"), on=["date", "lead_id"], how="inner")
        .group_by("date", "channel")
        .agg(
            ratio(won.sum(), pl.len()).alias("conversion_rate"),
            ratio(exact_sum(value.filter(won)), value.filter(won).count()).alias("avg_deal_value"),
        )
    )


def _standing_touches(touches: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Each channel and lead on the dates on which a touch counts: for 30 days, or until the next one takes over."""
    pair = ["channel", "lead_id"]
    if first == last:
        return touches.select(pair).unique().with_columns(pl.lit(last).alias("date"))
    until = pl.min_horizontal(
        pl.col("date") + pl.duration(days=CHANNEL_DAYS - 1),
        pl.col("date").shift(-1).over(pair) - pl.duration(days=1),
        pl.lit(last),
    )
    return (
        touches.sort(*pair, "date")
        .with_columns(pl.max_horizontal("date", pl.lit(first)).alias("_from"), until.alias("_until"))
        .filter(pl.col("_until") >= pl.col("_from"))
        .select(*pair, pl.date_ranges("_from", "_until").alias("date"))
        .explode("date", empty_as_null=False)
    )
