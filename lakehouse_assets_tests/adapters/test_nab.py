"""The adapter on small files with the benchmark's faults, through the lake to the report, and its figures by hand."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets_tests.adapters.errors import AdapterError
from lakehouse_assets_tests.adapters.labelled import best_baseline, chained, compared, z_scored
from lakehouse_assets_tests.adapters.nab import Labelled, labels, lay_out
from lakehouse_assets_tests.adapters.nab_report import build, report, table

NAME = "oil_temperature_system_failure"
FIRST = datetime(2014, 1, 6, tzinfo=UTC)
STEP = timedelta(minutes=5)


def write(folder: Path, rows: list[str], name: str = NAME, header: str = "timestamp,value") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")


def label(folder: Path, spans: dict[str, list[list[str]]], points: dict[str, list[str]]) -> None:
    (folder / "combined_windows.json").write_text(json.dumps({f"real/{name}.csv": s for name, s in spans.items()}))
    (folder / "combined_labels.json").write_text(json.dumps({f"real/{name}.csv": p for name, p in points.items()}))


def landed(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        str(path.relative_to(folder)): [json.loads(line) for line in path.read_text().splitlines()]
        for path in folder.rglob("*.ndjson")
    }


def windows(*starts: float, device: str = "d", value: float = 0.0) -> pl.DataFrame:
    """Windows that begin so many minutes after the first."""
    return pl.DataFrame(
        {"device_id": device, "window_start": [FIRST + timedelta(minutes=m) for m in starts], "median_value": value}
    )


def span(begin: float, end: float, moment: float, device: str = "d") -> Labelled:
    return Labelled(device, *(FIRST + timedelta(minutes=m) for m in (begin, end, moment)))


def test_each_day_is_a_drop_and_nothing_is_mended_on_the_way(tmp_path: Path) -> None:
    rows = ["2014-01-06 23:55:00,73.96732207", "2014-01-06 23:55:00,70", "2014-01-07 00:00:00,", "2014-01-07 0:05,nan"]
    write(tmp_path / "in" / "real", rows)
    write(tmp_path / "in", ["2014-01-06 01:00:00,1e400"], name="ec2_request_latency")
    assert len(lay_out(tmp_path / "in", tmp_path / "out", "plant")) == 3
    reading = {"device_id": NAME, "metric_type": "temperature"}
    assert landed(tmp_path / "out") == {
        f"plant/commerce/device_telemetry/2014-01-06/{NAME}.ndjson": [
            {**reading, "event_time": "2014-01-06 23:55:00", "metric_value": 73.96732207},
            {**reading, "event_time": "2014-01-06 23:55:00", "metric_value": 70.0},
        ],
        f"plant/commerce/device_telemetry/2014-01-07/{NAME}.ndjson": [
            {**reading, "event_time": "2014-01-07 00:00:00", "metric_value": ""},
            {**reading, "event_time": "2014-01-07 0:05", "metric_value": "nan"},
        ],
        "plant/commerce/device_telemetry/2014-01-06/ec2_request_latency.ndjson": [
            {
                "device_id": "ec2_request_latency",
                "event_time": "2014-01-06 01:00:00",
                "metric_type": "value",
                "metric_value": "1e400",
            }
        ],
    }


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("time,value", "2014-01-06 00:00:00,1", "begins with ['time', 'value'], not with ['timestamp', 'value']"),
        ("timestamp,value", "2014-01-06 00:00:00", "row 1 has 1 fields, not 2"),
        ("timestamp,value", "6 January,1", "row 1: '6 January' does not begin with a date"),
    ],
)
def test_a_file_of_another_shape_is_refused_by_name_and_row(
    tmp_path: Path, header: str, row: str, message: str
) -> None:
    write(tmp_path, [row], header=header)
    with pytest.raises(AdapterError, match=re.escape(message)):
        lay_out(tmp_path, tmp_path / "out", "plant")


def test_a_folder_without_readings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="holds no CSV file"):
        lay_out(tmp_path, tmp_path / "out", "plant")


def test_labels_are_those_of_the_files_at_hand(tmp_path: Path) -> None:
    write(tmp_path, ["2014-01-06 00:00:00,1"])
    spans = {NAME: [["2014-01-06 01:00:00.000000", "2014-01-06 03:00:00.000000"]], "elsewhere": [["x", "y"]]}
    label(tmp_path, spans, {NAME: ["2014-01-06 02:00:00"], "elsewhere": ["z"]})
    assert labels(tmp_path) == [Labelled(NAME, *(FIRST + timedelta(hours=h) for h in (1, 3, 2)))]
    label(tmp_path, spans, {NAME: [], "elsewhere": []})
    with pytest.raises(AdapterError, match="1 labelled spans and 0 moments"):
        labels(tmp_path)


def test_precision_recall_and_delay_by_hand() -> None:
    odd = chained(pl.concat([windows(0, 15, 100, 140, 500), windows(105, device="other")]))
    assert odd["alert_id"].n_unique() == 5
    score = compared(odd, [span(90, 150, 130), span(300, 400, 350), span(140, 160, 150)])
    assert (score.alerts, score.right, score.spans, score.found) == (5, 2, 3, 2)
    assert (score.precision, score.recall) == (2 / 5, 2 / 3)
    assert score.f1 == pytest.approx(2 * (2 / 5) * (2 / 3) / (2 / 5 + 2 / 3))
    assert score.delays == [timedelta(minutes=10), timedelta(0)]
    assert score.leads == [timedelta(minutes=30), timedelta(minutes=10)]


def test_without_alerts_there_is_no_precision() -> None:
    score = compared(chained(windows()), [span(0, 10, 5)])
    assert (score.precision, score.recall, score.f1) == (None, 0.0, 0.0)


def test_the_z_score_knows_only_what_came_before() -> None:
    values = [1.0, 3.0] * 6 + [8.0, 8.0]
    series = windows(*(5.0 * n for n in range(14))).with_columns(median_value=pl.Series(values))
    scored = z_scored(series, 1)
    deviation = (12 / 11) ** 0.5
    assert scored["z"].to_list()[:12] == [None] * 12
    assert scored["z"][12] == pytest.approx((8 - 2) / deviation)
    assert scored["z"][13] < scored["z"][12]


def test_the_baseline_is_the_best_that_hindsight_finds() -> None:
    values = [1.0, 3.0] * 50
    values[60], values[90] = 30.0, 9.0
    series = windows(*(5.0 * n for n in range(100))).with_columns(median_value=pl.Series(values))
    _, threshold, score = best_baseline(series, [span(295, 305, 300)])
    assert (score.alerts, score.right, score.found, score.f1) == (1, 1, 1, 1.0)
    assert threshold > 1.5


def test_from_files_to_the_report(tmp_path: Path) -> None:
    times = [FIRST + n * STEP for n in range(3 * 288)]
    values = {at: 70 + n % 5 for n, at in enumerate(times)}
    odd = FIRST + timedelta(days=2, hours=12)
    values[odd] = 99
    rows = [f"{at:%Y-%m-%d %H:%M:%S},{value}" for at, value in values.items()]
    repeated = rows[100].partition(",")[0]
    rows.insert(101, f"{repeated},71.5")
    write(tmp_path / "in", rows)
    begin, end = (f"{odd + hours:%Y-%m-%d %H:%M:%S}" for hours in (-timedelta(hours=1), timedelta(hours=1)))
    label(tmp_path / "in", {NAME: [[begin, end]]}, {NAME: [f"{odd:%Y-%m-%d %H:%M:%S}"]})
    lake = build(tmp_path / "in", tmp_path)
    readings = table(lake, "commerce/silver/device_telemetry")
    assert readings.height == len(times)
    twice = readings.filter(event_time=datetime.fromisoformat(repeated).replace(tzinfo=UTC))
    assert twice["metric_value"].to_list() == [71.5]
    [alert] = table(lake, "commerce/gold/anomaly_alerts").filter(date=date(2014, 1, 8)).to_dicts()
    assert (alert["window_start"], alert["median_value"], alert["severity"]) == (odd, 99.0, "critical")
    text = report(lake, labels(tmp_path / "in"))
    assert "865 readings, 864 kept, 1 duplicates" in text
    assert re.search(rf"\| {NAME} \| … with a floor \| 1 \| 1\.00 \| 1 of 1 \| 1\.00 \| 1\.0 h \| 0\.0 h \|", text)
