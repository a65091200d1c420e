"""Anomalies of telemetry: what a window was expected to read, how far off it is, and which rules it breaks.

Belongs here: pure functions of 5-minute windows, sorted or not, for a range of dates at once. Each figure of a window
follows from the `HISTORY_DAYS` days to its date and from its own device and metric, so that it is the same whichever
dates and devices are computed with it. Not here: contracts (`silver_telemetry`), thresholds (`metrics`), and what is
made of the anomalies (`alerts`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from lakehouse_assets.domains.commerce.metrics import DEFAULT, MetricRules

SERIES = ("device_id", "metric_type")
WINDOW = timedelta(minutes=5)
# Expected: the same time of day in the two weeks before, else the day before, each if it holds enough windows.
SEASON, LEAST_SEASONS = timedelta(days=14), 4
RECENT, LEAST_RECENT = timedelta(hours=24), 12
# Spread: the residuals of the week before; a window that is measured against the day before has only that day's.
SPREAD = timedelta(days=7)
HISTORY_DAYS = (SEASON + SPREAD).days + 1
# Makes the median absolute deviation of normally distributed residuals their standard deviation.
MAD_TO_SIGMA = 1.4826


def windows_of(readings: pl.LazyFrame) -> pl.LazyFrame:
    """One row per date, device, metric and 5-minute window that has readings, the window named by its start, UTC."""
    value = pl.col("metric_value")
    return readings.group_by("date", *SERIES, pl.col("event_time").dt.truncate("5m").alias("window_start")).agg(
        pl.len().cast(pl.Int64).alias("readings"),
        value.min_by("event_time").alias("first_value"),
        value.median().alias("median_value"),
        value.min().alias("min_value"),
        value.max().alias("max_value"),
        pl.col("region").max_by("event_time"),
    )


def judged_windows(windows: pl.LazyFrame, metrics: Mapping[str, MetricRules], first: date, last: date) -> pl.LazyFrame:
    """The windows of the dates `first` … `last` with what was expected of them, their score, and the rule they break.

    `windows` holds the `HISTORY_DAYS` days to each date. A metric that is not in `metrics` is judged by `DEFAULT`.
    """
    asked = pl.col("date").is_between(first, last)
    lookback = (
        pl.when(method="seasonal").then(pl.lit(SPREAD)).when(method="recent").then(pl.lit(RECENT)).alias("lookback")
    )
    spread = pl.map_batches(["window_start", "residual", "lookback"], _rolling_mad, return_dtype=pl.Float64)
    sigma = MAD_TO_SIGMA * pl.col("spread").fill_null(0)
    score = pl.col("residual") / pl.max_horizontal(sigma, _setting("floor", metrics))
    seasonal = _with_seasonal(windows.sort(*SERIES, "window_start"))
    history = seasonal.with_columns(_is_flat(metrics).alias("is_flat"), _was_silent(metrics).alias("was_silent"))
    # All that the spreads of the dates need; only seasons reach further back.
    residuals = _with_residual(history.filter(pl.col("date") >= first - SPREAD - RECENT))
    return (
        residuals.with_columns(pl.when(asked).then(lookback))
        .with_columns(spread.over(*SERIES, order_by="window_start").alias("spread"))
        .filter(asked)
        .with_columns(score.alias("anomaly_score"))
        .with_columns(_rule(metrics).alias("rule"))
        .with_columns(pl.col("rule").is_not_null().alias("is_anomaly"))
    )


def _with_seasonal(windows: pl.LazyFrame) -> pl.LazyFrame:
    start = pl.col("window_start")
    time_of_day = start - start.dt.truncate("1d")
    median = pl.col("median_value").rolling_median_by("window_start", SEASON, closed="left", min_samples=LEAST_SEASONS)
    return windows.with_columns(median.over(*SERIES, time_of_day, order_by="window_start").alias("seasonal"))


def _with_residual(windows: pl.LazyFrame) -> pl.LazyFrame:
    """Add `expected_value`, the `method` that gave it, and `residual`.

    Values so large that their difference is not finite have no residual.
    """
    value = pl.col("median_value")
    recent = value.rolling_median_by("window_start", RECENT, closed="left", min_samples=LEAST_RECENT)
    residual = value - pl.col("expected_value")
    return (
        windows.with_columns(recent.over(*SERIES, order_by="window_start").alias("recent"))
        .with_columns(
            pl.coalesce("seasonal", "recent").alias("expected_value"),
            pl.when(pl.col("seasonal").is_not_null())
            .then(pl.lit("seasonal"))
            .when(pl.col("recent").is_not_null())
            .then(pl.lit("recent"))
            .otherwise(pl.lit("none"))
            .alias("method"),
        )
        .with_columns(pl.when(residual.is_finite()).then(residual).alias("residual"))
    )


def _rolling_mad(given: Sequence[pl.Series]) -> pl.Series:
    """The median absolute deviation of the residuals in the `lookback` before each window of one series.

    `given` are the windows' starts, in order, their residuals and lookbacks; null where no lookback asks for a spread,
    or nothing lies in it. The residuals in the lookback are kept sorted from window to window: of a sorted list, the
    values nearest to the median are one slice, which moves by a step or two at a time.
    """
    starts, residuals, lookbacks = (given[0].to_physical(), given[1], given[2].to_physical())
    known = residuals.is_not_null()
    times, values = starts.filter(known).to_list(), residuals.filter(known).to_list()
    found: list[float | None] = [None] * len(starts)
    for lookback in lookbacks.unique().drop_nulls():
        asked = (lookbacks == lookback).arg_true()
        inside: list[float] = []
        begin = end = slice_start = 0
        for position, time in zip(asked.to_list(), starts.gather(asked).to_list(), strict=True):
            new_begin = bisect_left(times, time - lookback, begin)
            new_end = bisect_left(times, time, max(end, new_begin))
            if new_begin >= end or not inside:
                inside = sorted(values[new_begin:new_end])
            else:
                for gone in values[begin:new_begin]:
                    del inside[bisect_left(inside, gone)]
                for come in values[end:new_end]:
                    insort(inside, come)
            begin, end = new_begin, new_end
            if inside:
                found[position], slice_start = _mad(inside, slice_start)
    return pl.Series(found, dtype=pl.Float64)


def _mad(ordered: list[float], near: int) -> tuple[float, int]:
    """The median absolute deviation of sorted values, and where the half of them that lies nearest the median starts.

    Any `near` gives the same; one that is close to where that half starts gives it soon.
    """
    count = len(ordered)
    half, is_odd = divmod(count, 2)
    median = ordered[half] if is_odd else (ordered[half - 1] + ordered[half]) / 2
    size = half + is_odd
    start, last = min(near, count - size), count - size
    while start < last and ordered[start + size] - median < median - ordered[start]:
        start += 1
    while start and ordered[start + size - 1] - median >= median - ordered[start - 1]:
        start -= 1
    lower = max(median - ordered[start], ordered[start + size - 1] - median)
    if is_odd:
        return lower, start
    upper = ordered[start + size] - median if start < last else median - ordered[start - 1]
    if start:
        upper = min(upper, median - ordered[start - 1])
    return (lower + upper) / 2, start


def _setting(name: str, metrics: Mapping[str, MetricRules], dtype: type[pl.DataType] = pl.Float64) -> pl.Expr:
    """What the configuration says under `name` for each row's metric."""
    default = pl.lit(getattr(DEFAULT, name), dtype)
    own = {metric: getattr(rules, name) for metric, rules in metrics.items()}
    if set(own.values()) <= {getattr(DEFAULT, name)}:
        return default
    return pl.col("metric_type").replace_strict(own, default=default, return_dtype=dtype)


def _values(name: str, metrics: Mapping[str, MetricRules]) -> set[Any]:
    """All that the configuration says under `name`."""
    return {getattr(rules, name) for rules in (*metrics.values(), DEFAULT)}


def _rule(metrics: Mapping[str, MetricRules]) -> pl.Expr:
    """The gravest rule that a window breaks, null where none."""
    broken: dict[str, Any] = {
        "hard_limit": (pl.col("min_value") < _setting("lowest", metrics))
        | (pl.col("max_value") > _setting("highest", metrics)),
        "score": pl.col("anomaly_score").abs() >= _setting("threshold", metrics),
        "flatline": pl.col("is_flat"),
        "silence": pl.col("was_silent"),
    }
    return pl.coalesce(pl.when(is_broken).then(pl.lit(rule)) for rule, is_broken in broken.items())


def _is_flat(metrics: Mapping[str, MetricRules]) -> pl.Expr:
    """Whether all readings of the last `flatline_windows` windows are one value."""
    wanted = _setting("flatline_windows", metrics, pl.Int64)
    flat = pl.lit(value=False)
    for count in sorted(filter(None, _values("flatline_windows", metrics))):
        lowest = pl.col("min_value").rolling_min(count).over(*SERIES, order_by="window_start")
        highest = pl.col("max_value").rolling_max(count).over(*SERIES, order_by="window_start")
        flat = pl.when(wanted == count).then((lowest == highest) & _is_known(count - 1)).otherwise(flat)
    return flat


def _was_silent(metrics: Mapping[str, MetricRules]) -> pl.Expr:
    """Whether `silence_minutes` or more without a reading lie between the window before and this one."""
    if _values("silence_minutes", metrics) == {None}:
        return pl.lit(value=False)
    before = pl.col("window_start").shift(1).over(*SERIES, order_by="window_start")
    silence = pl.duration(minutes=_setting("silence_minutes", metrics, pl.Int64))
    return (pl.col("window_start") - before - WINDOW >= silence) & _is_known(1)


def _is_known(count: int) -> pl.Expr:
    """Whether so many windows before are in the history that every way of computing a window has."""
    start = pl.col("window_start")
    return start - start.shift(count).over(*SERIES, order_by="window_start") < timedelta(days=HISTORY_DAYS - 1)
