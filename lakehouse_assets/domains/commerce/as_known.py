"""What was known by the end of a date: which version of a row counted on it, and which windows were news.

Belongs here: pure functions of tables by ingest date, whose `date` is the day on which a row landed. What lands after a
date never changes what they say of it. Not here: what is made of it (`ml_features`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from lakehouse_assets.domains.commerce.anomalies import HISTORY_DAYS, SERIES, judged_windows
from lakehouse_assets.domains.commerce.customers import RECENT_DAYS
from lakehouse_assets.domains.commerce.metrics import MetricRules

DAY = timedelta(days=1)
# A clock may run ahead by a day, so that a row lands on the day before its own.
AS_KNOWN_DAYS = RECENT_DAYS + HISTORY_DAYS


def known(versions: pl.LazyFrame, key: Sequence[str], last: date) -> pl.LazyFrame:
    """Versions landed up to `last`, each from the day `_known` on which it is both past and known to the day

    `_replaced`, that one not included, on which a newer version of its `key` and business date lands; null where none
    does. Versions of nobody's replace those of somebody, and are left out then.
    """
    whole = ["business_date", *key]
    landed = versions.filter(pl.col("date") <= last).with_columns(
        pl.max_horizontal("date", "business_date").alias("_known"), _is_repeated(whole).alias("_again")
    )
    # Few rows have a second version, and sorting is for them alone.
    again = landed.filter("_again").with_columns(
        pl.col("date").shift(-1).over(whole, order_by="date").alias("_replaced")
    )
    single = landed.filter(~pl.col("_again")).with_columns(pl.lit(None, pl.Date).alias("_replaced"))
    return pl.concat([single, again]).filter(pl.col("customer_id").is_not_null())


def counted_between(rows: pl.LazyFrame, least: int, most: int, first: date, last: date) -> pl.LazyFrame:
    """The `known` rows that count on a date of `first` … `last`, each from `_from` until before `_gone`.

    A row counts while it is known and its business date lies at least `least` and less than `most` days back. What
    comes after `last` is not asked for: there, all that still counts is gone.
    """
    business = pl.col("business_date")
    begin = pl.max_horizontal(pl.col("_known"), business + DAY * least, pl.lit(first))
    gone = pl.min_horizontal(business + DAY * most, pl.col("_replaced"), pl.lit(last + DAY))
    found = rows.with_columns(begin.alias("_from"), gone.alias("_gone"))
    return found.filter(pl.col("_gone") > pl.col("_from"))


def distinct_between(rows: pl.LazyFrame, thing: str | pl.Expr) -> pl.LazyFrame:
    """Of rows that count from `_from` until before `_gone`, each customer's `thing` for as long as any row has it."""
    by = ["customer_id", "_thing"]
    named = rows.select("customer_id", (pl.col(thing) if isinstance(thing, str) else thing).alias("_thing"), *SPAN)
    spans = named.filter(pl.col("_thing").is_not_null()).unique().with_columns(_is_repeated(by).alias("_again"))
    begins = (pl.col("_from") > pl.col("_gone").cum_max().shift(1)).fill_null(value=True)
    joined = (
        spans.filter("_again")
        .with_columns(begins.cum_sum().over(by, order_by="_from").alias("_stretch"))
        .group_by(*by, "_stretch")
        .agg(pl.col("_from").min(), pl.col("_gone").max())
    )
    return pl.concat([spans.filter(~pl.col("_again")).select(*by, *SPAN), joined.select(*by, *SPAN)])


def _is_repeated(columns: Sequence[str]) -> pl.Expr:
    """Whether another row agrees in the columns; rarely also where none does."""
    return pl.struct(columns).hash().is_duplicated()


SPAN = ("_from", "_gone")


def anomalies_as_known(
    landed: pl.LazyFrame, metrics: Mapping[str, MetricRules], first: date, last: date
) -> pl.LazyFrame:
    """The anomalies among the windows that were news on each ingest date of `first` … `last`.

    A window is news on the day on which it lands first, unless a later one of its series landed before; of windows
    older than `RECENT_DAYS` no one is told. All windows before one that is news have landed by its day, so that what is
    expected of it follows from what was known then, whichever dates are computed with it. `landed` holds the
    `AS_KNOWN_DAYS` days to each date.
    """
    later = pl.col("landed_on").cum_min(reverse=True).over(*SERIES, order_by="window_start")
    in_order = (
        landed.filter(pl.col("date") <= last)
        .rename({"date": "landed_on"})
        .sort("landed_on")
        .unique([*SERIES, "window_start"], keep="first", maintain_order=True)
        .filter(pl.col("landed_on") == later)
        .with_columns(pl.col("window_start").dt.date().alias("date"))
    )
    is_news = pl.col("landed_on").is_between(first, last) & (pl.col("date") > pl.col("landed_on") - DAY * RECENT_DAYS)
    begin = in_order.filter(is_news).select(pl.col("date").min()).collect(engine="streaming").item() or first
    history = in_order.filter(pl.col("date") > begin - DAY * HISTORY_DAYS)
    judged = judged_windows(history, metrics, begin, last + DAY)
    return judged.filter(is_news & pl.col("is_anomaly")).with_columns(pl.col("landed_on").alias("date"))
