"""Scores against plain Python and by hand, each date and device alone, and the rules that metrics may have."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.domains.commerce.anomalies import HISTORY_DAYS, _rolling_mad, judged_windows
from lakehouse_assets.domains.commerce.metrics import DEFAULT, METRICS, MetricRules
from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets_tests.domains.commerce.plain_anomalies import Window, in_plain_python

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
STEP = timedelta(minutes=5)
SCHEMA = pl.Schema(
    {
        "date": pl.Date(),
        "device_id": pl.String(),
        "metric_type": pl.String(),
        "window_start": pl.Datetime("us", "UTC"),
        "readings": pl.Int64(),
        "first_value": pl.Float64(),
        "median_value": pl.Float64(),
        "min_value": pl.Float64(),
        "max_value": pl.Float64(),
        "region": pl.String(),
    }
)


def windows(series: list[Window], device: str = "D1", metric: str = "t") -> pl.LazyFrame:
    rows = [
        {"date": at.date(), "device_id": device, "metric_type": metric, "window_start": at, "readings": 1}
        | dict.fromkeys(("first_value", "median_value", "min_value", "max_value"), value)
        for at, value in series
    ]
    return pl.LazyFrame(rows, SCHEMA)


def every(count: int, value: float = 20.0, start: datetime = FIRST, step: timedelta = STEP) -> list[Window]:
    """Windows that follow one another, now a little above the value, now a little below."""
    return [Window(start + n * step, value + (-1) ** n * (n % 7) / 10) for n in range(count)]


def judged(
    given: pl.LazyFrame, first: date, last: date, metrics: Mapping[str, MetricRules] | None = None
) -> pl.DataFrame:
    found = judged_windows(given, metrics or {}, first, last)
    return found.sort("device_id", "metric_type", "window_start").collect(engine="streaming")


def last_of(series: list[Window], **rules: Any) -> dict[str, Any]:
    """The last window, judged by the rules of its metric."""
    day = series[-1].start.date()
    return judged(windows(series), day, day, {"t": MetricRules(**rules), "other": MetricRules()}).to_dicts()[-1]


def random_series(seed: int, days: int = 26) -> list[Window]:
    """Windows of a device with a daily rhythm, hours and days without readings, and ties."""
    chance = random.Random(seed)
    starts = [FIRST + n * timedelta(minutes=20) for n in range(days * 72)]
    missing = {chance.randrange(days) for _ in range(chance.choice([0, 3, 12]))}
    return [
        Window(at, round(10 * chance.random() + 5 * (at.hour // 6), 1))
        for at in starts
        if (at - FIRST).days not in missing and chance.random() > 0.2
    ]


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_plain_python(seed: int) -> None:
    series = random_series(seed)
    expected = in_plain_python(series, DEFAULT.floor)
    found = judged(windows(series), FIRST.date(), (FIRST + 26 * DAY).date())
    assert found.height == len(series)
    assert {row["method"] for row in found.to_dicts()} == {"seasonal", "recent", "none"}
    for row in found.to_dicts():
        method, value, score = expected[row["window_start"]]
        assert row["method"] == method
        assert row["expected_value"] == (None if value is None else pytest.approx(value, rel=1e-14))
        # What rounding makes of an expected value counts for more where hardly anything is left of the difference.
        assert row["anomaly_score"] == (None if score is None else pytest.approx(score, rel=1e-12, abs=1e-12))
        assert row["is_anomaly"] == (score is not None and abs(score) >= 5)


def test_a_range_of_dates_is_each_date_by_itself_whatever_other_devices_do() -> None:
    rules = {"t": MetricRules(threshold=2.0, flatline_windows=2, silence_minutes=60)}
    mixed = pl.concat([windows(random_series(7, 40), "D1"), windows(random_series(8, 40), "D2")])
    together = judged(mixed, (FIRST + 20 * DAY).date(), (FIRST + 40 * DAY).date(), rules)
    assert set(together["rule"]) == {None, "score", "flatline", "silence"}
    for device in ("D1", "D2"):
        for offset in range(20, 40):
            day = (FIRST + offset * DAY).date()
            own = pl.col("date").is_between(day - (HISTORY_DAYS - 1) * DAY, day) & (pl.col("device_id") == device)
            alone = judged(mixed.filter(own).reverse(), day, day, rules)
            # Floats are compared bit by bit.
            assert alone.equals(together.filter(date=day, device_id=device))


def test_the_same_time_of_day_counts_for_fourteen_days_and_no_longer() -> None:
    noons = [Window(FIRST + timedelta(hours=12) + n * DAY, value) for n, value in enumerate([1.0, 2.0, 3.0, 4.0])]
    at = noons[0].start + 14 * DAY
    row = last_of([*noons, Window(at, 7.5)])
    assert (row["method"], row["expected_value"]) == ("seasonal", 2.5)
    row = last_of([*noons, Window(at + STEP, 7.5)])
    assert (row["method"], row["expected_value"], row["anomaly_score"]) == ("none", None, None)
    row = last_of([*noons, Window(at + DAY, 7.5)])
    assert row["method"] == "none"


def test_without_seasons_the_day_before_counts_from_twelve_windows_on() -> None:
    row = last_of(every(12))
    assert (row["method"], row["expected_value"], row["anomaly_score"], row["is_anomaly"]) == (
        "none",
        None,
        None,
        False,
    )
    row = last_of(every(13))
    assert (row["method"], row["expected_value"]) == ("recent", 20.0)
    day_old = every(12)
    assert last_of([*day_old, Window(FIRST + DAY, 20.0)])["method"] == "recent"
    assert last_of([*day_old, Window(FIRST + DAY + STEP, 20.0)])["method"] == "none"


def test_where_nothing_ever_deviated_the_floor_is_the_spread() -> None:
    flat = [Window(FIRST + n * STEP, 20.0) for n in range(100)]
    row = last_of([*flat, Window(FIRST + 100 * STEP, 20.5)], floor=0.25)
    assert (row["anomaly_score"], row["is_anomaly"]) == (2.0, False)
    assert last_of([*flat, Window(FIRST + 100 * STEP, 20.5)])["anomaly_score"] == 0.5 / DEFAULT.floor


def test_the_threshold_itself_is_an_anomaly_on_either_side() -> None:
    flat = [Window(FIRST + n * STEP, 20.0) for n in range(100)]
    for value, is_anomaly in ((22.5, True), (17.5, True), (22.25, False), (17.75, False)):
        row = last_of([*flat, Window(FIRST + 100 * STEP, value)], floor=0.5)
        assert (row["is_anomaly"], row["rule"]) == (is_anomaly, "score" if is_anomaly else None)
    row = last_of([*flat, Window(FIRST + 100 * STEP, 22.5)], floor=0.5, threshold=5.5)
    assert not row["is_anomaly"]


@pytest.mark.parametrize(
    ("value", "rules", "rule"),
    [
        (20.0, {"highest": 20.0, "lowest": 20.0}, None),
        (20.1, {"highest": 20.0}, "hard_limit"),
        (19.9, {"lowest": 20.0}, "hard_limit"),
        (90.0, {"highest": 80.0}, "hard_limit"),
        (90.0, {"highest": 95.0}, "score"),
    ],
)
def test_beyond_a_hard_limit_any_score_is_an_anomaly(value: float, rules: dict[str, float], rule: str | None) -> None:
    row = last_of([*every(50), Window(FIRST + 50 * STEP, value)], **rules)
    assert (row["rule"], row["is_anomaly"]) == (rule, rule is not None)


def test_a_single_reading_beyond_a_hard_limit_is_enough() -> None:
    lone = windows([Window(FIRST, 20.0)]).with_columns(max_value=pl.lit(81.0))
    [row] = judged(lone, FIRST.date(), FIRST.date(), {"t": MetricRules(highest=80.0)}).to_dicts()
    assert (row["method"], row["anomaly_score"], row["rule"], row["is_anomaly"]) == ("none", None, "hard_limit", True)


def test_a_flatline_is_as_many_windows_of_one_value_as_the_metric_says() -> None:
    stuck = [*every(30), *(Window(FIRST + n * STEP, 20.0) for n in range(31, 34))]
    assert last_of(stuck, flatline_windows=3)["rule"] == "flatline"
    assert last_of(stuck[:-1], flatline_windows=3)["rule"] is None
    assert last_of(stuck, flatline_windows=4)["rule"] is None
    assert last_of(stuck)["rule"] is None
    moved = windows(stuck).with_columns(max_value=pl.col("max_value") + 1)
    day = stuck[-1].start.date()
    assert judged(moved, day, day, {"t": MetricRules(flatline_windows=3)})["rule"][-1] is None


def test_silence_is_told_by_the_first_window_after_it() -> None:
    late = FIRST + 29 * STEP + timedelta(minutes=35)
    series = [*every(30), Window(late, 20.0), Window(late + STEP, 20.0)]
    assert last_of(series[:-1], silence_minutes=30)["rule"] == "silence"
    assert last_of(series, silence_minutes=30)["rule"] is None
    assert last_of(series[:-1], silence_minutes=31)["rule"] is None
    assert last_of(series[:-1])["rule"] is None
    assert last_of(series[:1], silence_minutes=30)["rule"] is None
    returned = [*every(30), Window(FIRST + 29 * STEP + 21 * DAY, 20.0)]
    assert last_of(returned, silence_minutes=30)["rule"] is None


def test_every_metric_has_its_own_rules() -> None:
    rules = {"a": MetricRules(highest=10.0), "b": MetricRules(highest=30.0, flatline_windows=2)}
    series = [Window(FIRST, 20.0), Window(FIRST + STEP, 20.0)]
    given = pl.concat([windows(series, metric=metric) for metric in ("a", "b", "c")])
    found = judged(given, FIRST.date(), FIRST.date(), rules)
    assert found["rule"].to_list() == ["hard_limit", "hard_limit", None, "flatline", None, None]


def test_by_default_nothing_but_the_score_makes_an_anomaly() -> None:
    assert MetricRules() == DEFAULT
    assert (DEFAULT.threshold, DEFAULT.lowest, DEFAULT.highest) == (5.0, None, None)
    assert (DEFAULT.flatline_windows, DEFAULT.silence_minutes) == (None, None)
    assert {(rules.threshold, rules.floor) for rules in METRICS.values()} == {(DEFAULT.threshold, DEFAULT.floor)}


def test_a_metric_without_a_line_is_judged_as_if_there_were_none() -> None:
    flat_after_silence = [Window(FIRST + (200 + n) * STEP, 20.0) for n in range(20)]
    series = [*every(60), *flat_after_silence, Window(FIRST + 220 * STEP, -99.0)]
    for metric, is_judged_alike in (("temperature", True), ("circuit_pressure_bar", False)):
        rows, day = windows(series, metric=metric), FIRST.date()
        said = [judged(rows, day, day, rules).select("anomaly_score", "method", "rule") for rules in (METRICS, {})]
        assert said[0].equals(said[1]) == is_judged_alike


def test_without_windows_there_is_nothing_to_judge() -> None:
    rules = {"t": MetricRules(flatline_windows=3, silence_minutes=60)}
    assert judged(windows([]), FIRST.date(), FIRST.date(), rules).is_empty()
    assert judged(windows(every(5)), (FIRST + 3 * DAY).date(), (FIRST + 4 * DAY).date(), rules).is_empty()


def test_values_as_large_as_floats_go_break_nothing() -> None:
    wild = [Window(at, value) for (at, _), value in zip(every(60), [1.7e308, -1.7e308, 20.0] * 20, strict=True)]
    found = judged(windows(wild), FIRST.date(), FIRST.date())
    assert found.height == 60
    assert not found["anomaly_score"].is_nan().any()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"threshold": 0.0}, "threshold is 0.0: give a finite number above 0"),
        ({"floor": float("nan")}, "floor is nan: give a finite number above 0"),
        ({"lowest": 3.0, "highest": 2.0}, "lowest is 3.0, above highest, 2.0: every window would be beyond"),
        ({"flatline_windows": 1}, "flatline_windows is 1: one is always flat, give 2 or more"),
        ({"silence_minutes": 4}, "silence_minutes is 4: give 5, the length of a window, or more"),
    ],
)
def test_rules_that_can_never_be_meant_are_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=re.escape(message)):
        MetricRules(**rules)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.one_of(st.none(), st.integers(-5, 5), st.floats(-1e3, 1e3)), st.booleans()),
        max_size=60,
    )
)
def test_the_spread_is_the_median_distance_from_the_median(steps: list[tuple[int, float | None, bool]]) -> None:
    lookback, at, times = 600, 0, []
    for step, _, _ in steps:
        at += step
        times.append(at)
    values = [None if value is None else float(value) for _, value, _ in steps]
    lookbacks = [lookback if asked else None for _, _, asked in steps]
    found = _rolling_mad(
        [
            pl.Series(times, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
            pl.Series(values, dtype=pl.Float64),
            pl.Series(lookbacks, dtype=pl.Int64).cast(pl.Duration("us")),
        ]
    ).to_list()
    for position, time in enumerate(times):
        before = [
            value for t, value in zip(times, values, strict=True) if time - lookback <= t < time and value is not None
        ]
        if not before or lookbacks[position] is None:
            assert found[position] is None
        else:
            middle = median(before)
            assert found[position] == median(abs(value - middle) for value in before)
