"""Anomalies as they were told: in order, by what had landed, and the same whatever lands later."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.domains.commerce.anomalies import judged_windows
from lakehouse_assets.domains.commerce.as_known import AS_KNOWN_DAYS, anomalies_as_known
from lakehouse_assets.domains.commerce.metrics import MetricRules

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
STEP = timedelta(hours=1)
METRICS = {"t": MetricRules(floor=0.1, highest=90.0, silence_minutes=600)}
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
type_of_row = dict[str, Any]


def window(at: datetime, value: float, landed: date | None = None, device: str = "D1") -> type_of_row:
    values = dict.fromkeys(("first_value", "median_value", "min_value", "max_value"), value)
    series = {"device_id": device, "metric_type": "t", "window_start": at, "readings": 1}
    return {"date": landed or at.date(), **series, **values}


def quiet(days: int, device: str = "D1") -> list[type_of_row]:
    return [window(FIRST + n * STEP, 20 + n % 5 / 10, device=device) for n in range(24 * days)]


def told(rows: list[type_of_row], first: date, last: date | None = None) -> list[tuple[date, datetime, str]]:
    found = anomalies_as_known(pl.LazyFrame(rows, SCHEMA), METRICS, first, last or first)
    return sorted(found.select("date", "window_start", "rule").collect(engine="streaming").rows())


def on(number: int) -> date:
    """The n-th date, from 1."""
    return FIRST.date() + (number - 1) * DAY


WILD = window(FIRST + 2 * DAY + STEP / 2, 80.0)


def test_what_lands_on_its_day_is_judged_as_the_restated_windows_are() -> None:
    rows = [*quiet(4), *quiet(4, "D2"), WILD]
    judged = judged_windows(pl.LazyFrame(rows, SCHEMA), METRICS, on(1), on(4)).filter("is_anomaly")
    expected = sorted(judged.select("date", "window_start", "rule").collect().rows())
    assert told(rows, on(1), on(4)) == expected == [(on(3), WILD["window_start"], "score")]


def test_a_correction_is_not_told_and_takes_nothing_back() -> None:
    corrected = [*quiet(4), WILD, WILD | {"date": on(4), "median_value": 20.0}]
    assert told(corrected, on(1), on(4)) == [(on(3), WILD["window_start"], "score")]
    harmless = [*quiet(4), WILD | {"median_value": 20.0, "max_value": 20.0}, WILD | {"date": on(4)}]
    assert told(harmless, on(1), on(4)) == []


def test_what_lands_after_a_later_window_is_neither_told_nor_history() -> None:
    assert told([*quiet(4), WILD | {"date": on(4)}], on(1), on(4)) == []
    # All that is expected on the fourth day would be moved by what landed with it.
    hole = [row for row in quiet(4) if row["window_start"].day != 3 or row["window_start"].hour == 23]
    filled = [window(FIRST + 2 * DAY + n * STEP, 99.0, on(4)) for n in range(23)]
    assert told([*hole, *filled], on(4)) == told(hole, on(4)) == []


def test_a_history_that_lands_at_once_is_judged_on_its_day_as_far_as_it_is_recent() -> None:
    rows = [row | {"date": on(40)} for row in quiet(40)]
    old = window(FIRST + 9 * DAY + STEP / 2, 80.0, on(40))
    recent = window(FIRST + 10 * DAY + STEP / 2, 80.0, on(40))
    assert told([*rows, old, recent], on(40)) == [(on(40), recent["window_start"], "score")]


def test_a_clock_that_runs_ahead_and_a_file_that_lands_the_day_after_are_in_order() -> None:
    ahead = window(FIRST + 4 * DAY + STEP / 2, 95.0, on(4))
    assert told([*quiet(4), ahead], on(4)) == [(on(4), ahead["window_start"], "hard_limit")]
    yesterdays = [row | {"date": row["date"] + DAY} for row in [*quiet(4), WILD]]
    assert told(yesterdays, on(1), on(5)) == [(on(4), WILD["window_start"], "score")]


def test_of_nothing_nothing_is_told() -> None:
    assert told([], on(1), on(2)) == []


@st.composite
def landings(draw: st.DrawFn) -> list[type_of_row]:
    """Two devices whose windows land on their day, days late, all at once, or twice."""
    random = Random(draw(st.integers(0, 10_000)))
    rows: list[type_of_row] = []
    for device in ("D1", "D2"):
        lateness = draw(st.sampled_from([[0], [1], [0, 0, 0, 1, 3], [-1, 0, 2], [0, 0, 0, 0, 9]]))
        for number in range(0, 24 * 12, draw(st.sampled_from([1, 2, 5]))):
            at = FIRST + number * STEP
            value = random.choice([20.0] * 30 + [21.0, 40.0, 95.0]) + random.random()
            days = {at.date() + random.choice(lateness) * DAY for _ in range(2)}
            rows.extend(window(at, value, landed, device) for landed in sorted(days))
    return rows


@given(landings())
@settings(max_examples=25, deadline=None)
def test_each_date_is_told_the_same_alone_by_a_landing_zone_cut_off_after_it(rows: list[type_of_row]) -> None:
    last = on(14)
    together = told(rows, on(1), last)
    alone = []
    for number in range(1, 15):
        day = on(number)
        alone += told([row for row in rows if day - (AS_KNOWN_DAYS - 1) * DAY <= row["date"] <= day], day)
    assert together == alone
    assert all(at.date() <= day + DAY for day, at, _ in together)
