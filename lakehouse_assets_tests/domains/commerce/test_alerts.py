"""Alerts: which windows are one, how grave they are, whose device it was, and each date by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.domains.commerce.alerts import CHAIN_DAYS
from lakehouse_assets.domains.commerce.gold_alerts import gold_anomaly_alerts
from lakehouse_assets.house import tables
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
D = NOON.date()
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SILVER = {
    name: {"date": pl.Date(), **tables()[TableName("commerce", "silver", name)].schema}
    for name in ("telemetry_windows", "device_assignments")
}


def anomaly(minutes: float = 0, score: float | None = 6.0, **values: Any) -> dict[str, Any]:
    at = NOON + minutes * MINUTE
    row = {"date": at.date(), "device_id": "D1", "metric_type": "t", "window_start": at, "readings": 3}
    row |= {"median_value": 9.0, "expected_value": 3.0, "anomaly_score": score, "is_anomaly": True}
    return row | {"rule": "score", "region": "north"} | values


def assigned(customer: str, begin: float, end: float | None = None, **values: Any) -> dict[str, Any]:
    row = {"date": D, "device_id": "D1", "customer_id": customer, "assigned_from": NOON + begin * MINUTE}
    return row | {"assigned_to": None if end is None else NOON + end * MINUTE} | values


def alerts(
    windows: list[dict[str, Any]], assignments: list[dict[str, Any]] | None = None, first: date = D, last: date = D
) -> list[dict[str, Any]]:
    found = gold_anomaly_alerts(
        pl.LazyFrame(windows, SILVER["telemetry_windows"]),
        pl.LazyFrame(assignments or [], SILVER["device_assignments"]),
        Window("acme", first, last),
    )
    promised = tables()[TableName("commerce", "gold", "anomaly_alerts")].schema
    return found.select("date", *promised).sort("device_id", "window_start").collect(engine="streaming").to_dicts()


def ids(*windows: dict[str, Any]) -> list[str]:
    return [row["alert_id"] for row in alerts(list(windows))]


def test_an_alert_tells_what_was_read_and_what_was_expected() -> None:
    [row] = alerts([anomaly(), anomaly(5, is_anomaly=False, rule=None)], [assigned("C1", -60)])
    assert row == {
        "date": D,
        "device_id": "D1",
        "metric_type": "t",
        "window_start": NOON,
        "window_end": NOON + 5 * MINUTE,
        "region": "north",
        "readings": 3,
        "median_value": 9.0,
        "expected_value": 3.0,
        "anomaly_score": 6.0,
        "severity": "warning",
        "rule": "score",
        # The first window named it, for ever: a change here renames every alert that people have seen.
        "alert_id": "4a88ce7da873d45da7f67240",
        "customer_id": "C1",
    }


@pytest.mark.parametrize(
    ("score", "rule", "severity"),
    [
        (5.0, "score", "warning"),
        (7.99, "score", "warning"),
        (8.0, "score", "major"),
        (-8.0, "score", "major"),
        (11.99, "score", "major"),
        (12.0, "score", "critical"),
        (-12.0, "score", "critical"),
        (0.1, "hard_limit", "critical"),
        (None, "hard_limit", "critical"),
        (None, "flatline", "warning"),
        (None, "silence", "warning"),
    ],
)
def test_an_alert_is_as_grave_as_its_score_or_its_limit(score: float | None, rule: str, severity: str) -> None:
    [row] = alerts([anomaly(score=score, rule=rule)])
    assert row["severity"] == severity


def test_where_nothing_is_odd_there_is_no_alert() -> None:
    assert alerts([]) == alerts([anomaly(is_anomaly=False, rule=None)], [assigned("C1", -60)]) == []


def test_windows_at_most_fifteen_minutes_apart_are_one_alert() -> None:
    first, second, third, fourth = ids(anomaly(0), anomaly(15), anomaly(30), anomaly(50))
    assert first == second == third != fourth


def test_windows_in_order_between_do_not_part_an_alert() -> None:
    first, second = ids(anomaly(0), anomaly(5, is_anomaly=False), anomaly(10, is_anomaly=False), anomaly(15))
    assert first == second


def test_each_device_and_metric_has_alerts_of_its_own() -> None:
    rows = [anomaly(device_id=device, metric_type=metric) for device in ("D1", "D1t") for metric in ("t", "tt")]
    assert len(set(ids(*rows))) == 4


def test_an_alert_goes_on_past_midnight_and_keeps_its_id() -> None:
    night = [anomaly(minutes) for minutes in range(-3 * 1440, 60, 15)]
    found = alerts(night, first=D - 3 * DAY)
    assert len({row["alert_id"] for row in found}) == 1
    assert {row["alert_id"] for row in alerts(night)} == {found[0]["alert_id"]}


def test_a_range_of_dates_is_each_date_by_itself_also_in_an_alert_of_weeks() -> None:
    first = D - 20 * DAY
    weeks = [anomaly(minutes) for minutes in range(-20 * 1440, 60, 15) if minutes % 97]
    endless = [anomaly(minutes, device_id="D2") for minutes in range(-20 * 1440, 60, 10)]
    assignments = [assigned("C1", -10 * 1440, -300, date=first + n * DAY) for n in range(21)]
    together = alerts(weeks + endless, assignments, first, D)
    assert len({row["alert_id"] for row in together if row["device_id"] == "D2"}) == 20 - CHAIN_DAYS + 2
    for offset in range(21):
        day = first + offset * DAY
        known = [row for row in weeks + endless if day - (CHAIN_DAYS - 1) * DAY <= row["date"] <= day]
        held = [row for row in assignments if row["date"] == day]
        assert alerts(known, held, day, day) == [row for row in together if row["date"] == day]


@pytest.mark.parametrize(
    ("assignments", "customer"),
    [
        ([], None),
        ([assigned("C1", 0)], "C1"),
        ([assigned("C1", 1)], None),
        ([assigned("C1", -60, 0)], None),
        ([assigned("C1", -60, 1)], "C1"),
        ([assigned("C1", -60), assigned("C2", -30)], "C2"),
        ([assigned("C1", -60), assigned("C2", -30, -10)], "C1"),
        ([assigned("C1", -60, device_id="D2")], None),
        ([assigned("C1", -60, date=D - DAY)], None),
    ],
)
def test_an_alert_is_of_whoever_had_the_device_when_it_began(
    assignments: list[dict[str, Any]], customer: str | None
) -> None:
    [row] = alerts([anomaly()], assignments)
    assert row["customer_id"] == customer
