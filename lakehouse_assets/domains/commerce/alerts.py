"""Alerts of anomalous windows: which of them are one alert, how grave each is, and whose device it was.

Belongs here: pure functions of judged windows, for a range of dates at once. Not here: contracts (`gold_alerts`), and
what makes a window an anomaly (`anomalies`).
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta

import polars as pl

from lakehouse_assets.domains.commerce.anomalies import SERIES, WINDOW

CRITICAL, MAJOR = 12, 8
# From the start of one window to the start of the next: up to two windows between them may be in order.
LONGEST_GAP = timedelta(minutes=15)
# How far back the first window of an alert is looked for, the date itself included.
CHAIN_DAYS = 7
DIGEST_BYTES = 12


def alerts_of(windows: pl.LazyFrame, assignments: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """One row per anomalous window of the dates `first` … `last`.

    `windows` holds the `CHAIN_DAYS` days to each date, `assignments` the snapshots of the dates.
    """
    anomalies = windows.filter("is_anomaly")
    with_id = _with_alert_id(anomalies).filter(pl.col("date").is_between(first, last))
    return with_customer(with_id, assignments).with_columns(
        (pl.col("window_start") + WINDOW).alias("window_end"), _severity().alias("severity")
    )


def _severity() -> pl.Expr:
    size = pl.col("anomaly_score").abs()
    return (
        pl.when((size >= CRITICAL) | (pl.col("rule") == "hard_limit"))
        .then(pl.lit("critical"))
        .when(size >= MAJOR)
        .then(pl.lit("major"))
        .otherwise(pl.lit("warning"))
    )


def _with_alert_id(anomalies: pl.LazyFrame) -> pl.LazyFrame:
    """The same id for windows of a series that follow one another within `LONGEST_GAP`.

    It is named after the first of them within `CHAIN_DAYS` of each one's date, so that a date has the same ids
    whatever was computed with it. An alert that lasts longer goes on under other ids.
    """
    start = pl.col("window_start")
    is_first = (start - start.shift(1) <= LONGEST_GAP).fill_null(value=False).not_()
    chain = pl.when(is_first).then(start).forward_fill()
    seen = start.to_physical().rolling_min_by("date", f"{CHAIN_DAYS}d", closed="right")
    return anomalies.with_columns(chain.over(*SERIES, order_by="window_start").alias("chain")).with_columns(
        pl.struct(*SERIES, seen.over(*SERIES, "chain", order_by="window_start").alias("first"))
        .map_batches(_ids, return_dtype=pl.String, is_elementwise=True)
        .alias("alert_id")
    )


def _ids(chains: pl.Series) -> pl.Series:
    """A digest of device, metric and microseconds since 1970 that no release of any library changes."""
    return pl.Series([_id(list(chain.values())) for chain in chains], dtype=pl.String)


def _id(chain: list[str | int]) -> str:
    written = json.dumps(chain, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(written.encode(), digest_size=DIGEST_BYTES).hexdigest()


def with_customer(anomalies: pl.LazyFrame, assignments: pl.LazyFrame) -> pl.LazyFrame:
    """Add the customer that had the device when the window began, of several the one who got it last."""
    at = ["date", "device_id", "window_start"]
    had = (pl.col("assigned_from") <= pl.col("window_start")) & (
        pl.col("assigned_to").is_null() | (pl.col("window_start") < pl.col("assigned_to"))
    )
    holders = (
        anomalies.select(at)
        .unique()
        .join(assignments.select("date", "device_id", "customer_id", "assigned_from", "assigned_to"), on=at[:2])
        .filter(had)
        .group_by(at)
        .agg(pl.col("customer_id").max_by("assigned_from"))
    )
    return anomalies.join(holders, on=at, how="left")
