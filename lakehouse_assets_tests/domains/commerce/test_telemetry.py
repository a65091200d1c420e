"""Readings and assignments as they are judged, and windows of readings against figures computed by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.domains.commerce.gold_alerts import gold_anomaly_alerts
from lakehouse_assets.domains.commerce.silver_telemetry import silver_telemetry_medians, silver_telemetry_windows
from lakehouse_assets.house import tables
from lakehouse_assets.lake.judge import judge
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window
from lakehouse_assets_tests.lake.one_row import judged_row

D = date(2026, 1, 14)
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CLEAN = {
    "device_telemetry": {
        "device_id": " D1 ",
        "event_time": "2026-01-14T23:30:00-01:00",
        "metric_type": "Room Temperature",
        "metric_value": "2.15e1",
        "region": "North  West",
    },
    "device_assignments": {
        "device_id": "D1",
        "customer_id": "C1",
        "assigned_from": "2026-01-01T10:00:00+02:00",
        "assigned_to": "2026-01-09",
    },
}


def judged(table: str, **changes: str | None) -> dict[str, Any]:
    return judged_row("commerce", table, CLEAN[table] | changes)


def reading(minutes: float, value: float, device: str = "D1", region: str | None = "north") -> dict[str, Any]:
    at = NOON + minutes * MINUTE
    return {"date": at.date(), "device_id": device, "event_time": at, "metric_type": "t", "metric_value": value} | {
        "region": region
    }


def medians(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    schema = tables()[TableName("commerce", "silver", "device_telemetry")].schema
    readings = pl.LazyFrame(list(rows), {"date": pl.Date, **schema})
    return silver_telemetry_medians(readings).sort("device_id", "window_start").collect(engine="streaming").to_dicts()


@pytest.mark.parametrize(
    ("table", "typed"),
    [
        (
            "device_telemetry",
            {
                "device_id": "D1",
                "event_time": datetime(2026, 1, 15, 0, 30, tzinfo=UTC),
                "metric_type": "room_temperature",
                "metric_value": 21.5,
                "region": "North West",
            },
        ),
        (
            "device_assignments",
            {
                "device_id": "D1",
                "customer_id": "C1",
                "assigned_from": datetime(2026, 1, 1, 8, tzinfo=UTC),
                "assigned_to": datetime(2026, 1, 9, tzinfo=UTC),
            },
        ),
    ],
)
def test_a_clean_row_is_typed_and_breaks_nothing(table: str, typed: dict[str, Any]) -> None:
    row = judged(table)
    assert {name: row[name] for name in typed} == typed
    assert row["rejected"] == row["flagged"] == row["warned"] == []


@pytest.mark.parametrize(
    ("table", "changes", "rules"),
    [
        ("device_telemetry", {"device_id": "n/a"}, ["device_id_is_null"]),
        ("device_telemetry", {"event_time": None}, ["event_time_is_null"]),
        ("device_telemetry", {"event_time": "yesterday"}, ["event_time_unparsable"]),
        ("device_telemetry", {"metric_type": ""}, ["metric_type_is_null"]),
        ("device_telemetry", {"metric_value": None}, ["metric_value_is_null"]),
        *(
            ("device_telemetry", {"metric_value": value}, ["metric_value_unparsable"])
            for value in ("inf", "-Infinity", "1e309", "21,5", "warm")
        ),
        ("device_assignments", {"device_id": None}, ["device_id_is_null"]),
        ("device_assignments", {"customer_id": "-"}, ["customer_id_is_null"]),
        ("device_assignments", {"assigned_from": None}, ["assigned_from_is_null"]),
        ("device_assignments", {"assigned_to": "2026-02-30"}, ["assigned_to_unparsable"]),
    ],
)
def test_what_cannot_be_trusted_is_rejected(table: str, changes: dict[str, str | None], rules: list[str]) -> None:
    assert judged(table, **changes)["rejected"] == rules


def test_not_a_number_says_nothing() -> None:
    assert judged("device_telemetry", metric_value="NaN")["rejected"] == ["metric_value_is_null"]


def test_a_place_that_is_not_known_and_an_assignment_without_an_end_are_fine() -> None:
    assert judged("device_telemetry", region="none")["rejected"] == []
    assert judged("device_assignments", assigned_to=None)["rejected"] == []


def test_a_window_is_what_its_readings_come_to() -> None:
    found = medians(
        reading(4.99, 1.0, region="south"),
        reading(0, 5.0),
        reading(2, 9.0),
        reading(1, 2.0),
        reading(5, 7.0, region=None),
        reading(0, 3.0, device="D2"),
    )
    assert found == [
        {
            "date": D,
            "device_id": "D1",
            "metric_type": "t",
            "window_start": NOON,
            "readings": 4,
            "first_value": 5.0,
            "median_value": 3.5,
            "min_value": 1.0,
            "max_value": 9.0,
            "region": "south",
        },
        {
            "date": D,
            "device_id": "D1",
            "metric_type": "t",
            "window_start": NOON + 5 * MINUTE,
            "readings": 1,
            "first_value": 7.0,
            "median_value": 7.0,
            "min_value": 7.0,
            "max_value": 7.0,
            "region": None,
        },
        {
            "date": D,
            "device_id": "D2",
            "metric_type": "t",
            "window_start": NOON,
            "readings": 1,
            "first_value": 3.0,
            "median_value": 3.0,
            "min_value": 3.0,
            "max_value": 3.0,
            "region": "north",
        },
    ]


def test_windows_begin_at_whole_five_minutes_of_utc_and_end_with_the_day() -> None:
    found = medians(reading(719.9, 1.0), reading(720, 2.0))
    assert [(row["date"], row["window_start"]) for row in found] == [
        (D, NOON + 715 * MINUTE),
        (D + timedelta(days=1), NOON + 720 * MINUTE),
    ]


def test_the_tables_are_as_their_contracts_promise_them() -> None:
    names = ("telemetry_medians", "telemetry_windows", "device_assignments", "device_telemetry")
    declared = {name: tables()[TableName("commerce", "silver", name)] for name in names}
    alerts = tables()[TableName("commerce", "gold", "anomaly_alerts")]
    window = Window("acme", D, D)
    readings = [reading(5 * n, 20.0 + n % 3) for n in range(40)] + [reading(200, 90.0)]
    silver = pl.LazyFrame(readings, {"date": pl.Date, **declared["device_telemetry"].schema})
    assigned = pl.LazyFrame([], {"date": pl.Date, **declared["device_assignments"].schema})
    medians = silver_telemetry_medians(silver)
    windows = silver_telemetry_windows(medians, window)
    odd = gold_anomaly_alerts(windows, assigned, window)
    for table, given in (
        (declared["telemetry_medians"], medians),
        (declared["telemetry_windows"], windows),
        (alerts, odd),
    ):
        schema = given.collect_schema()
        assert {name: schema[name] for name in table.schema} == dict(table.schema)
        found = judge(given.with_columns(tenant_id=pl.lit("acme")), table.judged_rules)
        assert found.rejected.collect(engine="streaming").is_empty()
        assert not found.valid.collect(engine="streaming").is_empty()
