"""What is known of each customer on each date: the figures that gold shows and the conversion model learns from.

Belongs here: pure functions of snapshots and interactions, for a range of dates at once. Not here: contracts (`gold`)
and probabilities (`conversion`).
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from lakehouse_assets.lake.values import exact_sum

CHANNELS = ("call", "email", "meeting", "other", "whatsapp")
TRAILING_DAYS = 365
RECENT_DAYS = 7
CUSTOMER = ("date", "customer_id")


def is_won() -> pl.Expr:
    """Whether a lead is closed as won."""
    return pl.col("status") == "closed_won"


def is_lost() -> pl.Expr:
    """Whether a lead is closed as lost."""
    return pl.col("status") == "closed_lost"


def ratio(dividend: pl.Expr, divisor: pl.Expr, otherwise: float | None = None) -> pl.Expr:
    """The quotient; `otherwise` where the divisor is 0 or null."""
    return pl.when(divisor > 0).then(dividend / divisor).otherwise(pl.lit(otherwise, pl.Float64))


def customer_figures(
    customers: pl.LazyFrame, leads: pl.LazyFrame, interactions: pl.LazyFrame, first: date, last: date
) -> pl.LazyFrame:
    """Each customer's figures on each date of `first` … `last` that it is in `customers` on: its columns, and

    counts of interactions in the 365 days to the date (`total_interactions`, `num_calls`, `num_emails`,
    `num_whatsapp`, `num_positive_outcomes`, `num_negative_outcomes`), `last_interaction_date`,
    `days_since_last_interaction`, `preferred_channel`, `engagement_score` (0–10); of the leads as of the date
    `num_closed_won`, `num_closed_lost`, `num_open_deals`, `total_revenue` (USD), `avg_deal_value` (USD),
    `win_rate` and `conversion_rate` (0–1). Customers without interactions or leads are kept with zeros.

    `customers` and `leads` hold the snapshots of the dates, `interactions` the business dates from 364 days before
    `first`. Each date is computed from its own snapshots and trailing year only.
    """
    won, lost, total = pl.col("num_closed_won"), pl.col("num_closed_lost"), pl.col("total_interactions")
    return (
        customers.filter(pl.col("date").is_between(first, last))
        .join(_deals(leads.filter(pl.col("date").is_between(first, last))), on=CUSTOMER, how="left")
        .join(_contacts(interactions, first, last), on=CUSTOMER, how="left")
        .with_columns(pl.col(*_CONTACT_COUNTS, *_DEAL_COUNTS).fill_null(0), pl.col("total_revenue").fill_null(0.0))
        .with_columns(
            (pl.col("date") - pl.col("last_interaction_date")).dt.total_days().alias("days_since_last_interaction"),
            ratio(won, won + lost, 0.0).alias("win_rate"),
            ratio(won, won + lost + pl.col("num_open_deals"), 0.0).alias("conversion_rate"),
        )
        .with_columns(
            pl.when(total > 0)
            .then(
                5 * pl.col("num_positive_outcomes") / total
                + 2 * pl.col("num_calls") / total
                + 3 * pl.when(pl.col("days_since_last_interaction") < RECENT_DAYS).then(10).otherwise(5) / 10
            )
            .otherwise(0.0)
            .alias("engagement_score")
        )
    )


def with_scores(figures: pl.LazyFrame) -> pl.LazyFrame:
    """Add `lead_score` (0–100), `lead_quality` and `lead_score_v0`, the score of the source document's notebook.

    `figures` holds all customers of the tenant on each date, since scores are shares of the largest on the date. No
    column is divided by a constant: how Polars rounds that depends on how many rows it takes at a time.
    """
    revenue, interactions = pl.col("total_revenue"), pl.col("total_interactions")
    engagement, win_rate = pl.col("engagement_score"), pl.col("win_rate")
    scored = figures.with_columns(
        (
            0.30 * ratio(100 * revenue, _largest(revenue), 0.0)
            + 0.20 * ratio(100 * interactions, _largest(interactions), 0.0)
            + 0.25 * 10 * engagement
            + 0.25 * 100 * win_rate
        ).alias("lead_score"),
        (revenue * (30 / 100_000) + 2 * interactions + 25 * engagement + 20 * win_rate).alias("lead_score_v0"),
    )
    score = pl.col("lead_score").round(9)
    quality = pl.when(score >= 80).then(pl.lit("hot")).when(score >= 60).then(pl.lit("warm"))
    return scored.with_columns(
        quality.when(score >= 40).then(pl.lit("cool")).otherwise(pl.lit("cold")).alias("lead_quality")
    )


def _largest(figure: pl.Expr) -> pl.Expr:
    """The largest of the date.

    A constant column, as a single date has, would be divided by through its reciprocal, which rounds differently
    from the division of a range; taking the larger of both changes nothing but that.
    """
    return pl.max_horizontal(figure, figure.max().over("date"))


_DEAL_COUNTS = ("num_closed_won", "num_closed_lost", "num_open_deals")


def _deals(leads: pl.LazyFrame) -> pl.LazyFrame:
    """One row per date and customer with leads."""
    value = pl.col("deal_value")
    return (
        leads.group_by(CUSTOMER)
        .agg(
            is_won().sum().cast(pl.Int64).alias("num_closed_won"),
            is_lost().sum().cast(pl.Int64).alias("num_closed_lost"),
            (~is_won() & ~is_lost()).sum().cast(pl.Int64).alias("num_open_deals"),
            exact_sum(pl.when(is_won()).then(value)).alias("total_revenue"),
            exact_sum(value).alias("_value"),
            value.count().alias("_valued"),
        )
        .with_columns(ratio(pl.col("_value"), pl.col("_valued")).alias("avg_deal_value"))
        .drop("_value", "_valued")
    )


_CONTACT_COUNTS = (
    "total_interactions",
    "num_calls",
    "num_emails",
    "num_whatsapp",
    "num_positive_outcomes",
    "num_negative_outcomes",
)
_COUNTS = (*(f"{what}_{channel}" for what in ("all", "positive") for channel in CHANNELS), "negative")
_LATEST = tuple(f"latest_{channel}" for channel in CHANNELS)


def _contacts(interactions: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """One row per date and customer with interactions in the 365 days to the date."""
    states = _states(interactions, first, last)
    counts = {channel: pl.col(f"all_{channel}") for channel in CHANNELS}
    latest = [pl.when(count > 0).then(pl.col(f"latest_{channel}")) for channel, count in counts.items()]
    known = states.select(
        "customer_id",
        "_from",
        "_until",
        pl.sum_horizontal(counts.values()).alias("total_interactions"),
        counts["call"].alias("num_calls"),
        counts["email"].alias("num_emails"),
        counts["whatsapp"].alias("num_whatsapp"),
        pl.sum_horizontal(f"positive_{channel}" for channel in CHANNELS).alias("num_positive_outcomes"),
        pl.col("negative").alias("num_negative_outcomes"),
        pl.max_horizontal(latest).dt.date().alias("last_interaction_date"),
        _preferred_channel().alias("preferred_channel"),
    ).filter(pl.col("total_interactions") > 0)
    if first == last:
        return known.drop("_from", "_until").with_columns(pl.lit(first).alias("date"))
    dates = pl.date_ranges("_from", "_until").alias("date")
    return known.with_columns(dates).drop("_from", "_until").explode("date", empty_as_null=False)


def _states(interactions: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Counts by channel in the 365 days to each date `_from` … `_until`, in which they stay the same.

    An interaction counts from its date and is taken away 365 days later. What lies before `first` is one row per
    customer, so that a single date costs one grouping and no sorting of interactions.
    """
    year = timedelta(days=TRAILING_DAYS)
    counted = interactions.filter(pl.col("date").is_between(first - year + timedelta(days=1), last))
    positive, latest = pl.col("outcome") == "positive", []
    sums = [((pl.col("outcome") == "negative").sum().cast(pl.Int64)).alias("negative")]
    for channel in CHANNELS:
        here = pl.col("channel") == channel
        sums.append(here.sum().cast(pl.Int64).alias(f"all_{channel}"))
        sums.append((here & positive).sum().cast(pl.Int64).alias(f"positive_{channel}"))
        latest.append(pl.when(here).then("interaction_at").max().alias(f"latest_{channel}"))
    if first == last:
        span = (pl.lit(first).alias("_from"), pl.lit(last).alias("_until"))
        return counted.group_by("customer_id").agg(*sums, *latest).with_columns(*span)
    start = pl.max_horizontal("date", pl.lit(first)).alias("_from")
    added = counted.group_by("customer_id", start).agg(*sums, *latest)
    gone = counted.filter(pl.col("date") <= last - year).group_by("customer_id", (pl.col("date") + year).alias("_from"))
    removed = gone.agg(-expression for expression in sums)
    changes = pl.concat([added, removed], how="diagonal").group_by("customer_id", "_from")
    until = (pl.col("_from").shift(-1) - timedelta(days=1)).fill_null(last)
    return (
        changes.agg(pl.col(_COUNTS).sum(), pl.col(_LATEST).max())
        .sort("customer_id", "_from")
        .with_columns(
            pl.col(_COUNTS).cum_sum().over("customer_id"),
            pl.col(_LATEST).cum_max().forward_fill().over("customer_id"),
            until.over("customer_id").alias("_until"),
        )
    )


def _preferred_channel() -> pl.Expr:
    """The channel with the highest positive share; of equals most positives, then most recent, then by name."""

    def is_before(channel: str, other: str) -> pl.Expr:
        here, there = (
            (pl.col(f"all_{name}"), pl.col(f"positive_{name}"), pl.col(f"latest_{name}")) for name in (channel, other)
        )
        # Shares compared by their cross products, which are exact.
        share, share_there = here[1] * there[0], there[1] * here[0]
        by_name = pl.lit(channel < other)
        by_time = (here[2] > there[2]) | ((here[2] == there[2]) & by_name)
        by_positives = (here[1] > there[1]) | ((here[1] == there[1]) & by_time)
        return (there[0] == 0) | (share > share_there) | ((share == share_there) & by_positives)

    first = {
        channel: pl.all_horizontal(
            pl.col(f"all_{channel}") > 0, *(is_before(channel, other) for other in CHANNELS if other != channel)
        )
        for channel in CHANNELS
    }
    return pl.coalesce([pl.when(is_first).then(pl.lit(channel)) for channel, is_first in first.items()])
