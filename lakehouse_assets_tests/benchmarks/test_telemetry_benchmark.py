"""The item 'telemetry' runs, and tells when the two ways made different things. Not here: how fast anything is."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets_tests.benchmarks.__main__ import main
from lakehouse_assets_tests.benchmarks.telemetry_agreement import KEYS, disagreements
from lakehouse_assets_tests.benchmarks.telemetry_landing import land, readings

FIRST = date(2026, 1, 1)
SMALL = ("--readings", "6000", "--devices", "3", "--telemetry-days", "6", "--telemetry-repetitions", "1")


def test_what_was_measured_is_in_the_report(tmp_path: Path) -> None:
    main(["--to", str(tmp_path), "--only", "telemetry", *SMALL])
    told = json.loads((tmp_path / "figures.json").read_text())
    assert [line["item"] for line in told["findings"]] == ["memory", "telemetry", "telemetry"]
    assert all(line["ratio"] > 0 and line["is_met"] is None for line in told["findings"])
    assert "6,000 readings of 3 devices in 6 days to alerts" in (tmp_path / "README.md").read_text()


def write(root: Path, value: float = 1.0, rows: int = 2) -> Path:
    for table, key in KEYS.items():
        frame = pl.DataFrame({name: ["a", "b"] for name in key} | {"value": [1.0, value]}).head(rows)
        frame.write_delta(str(root / "commerce" / table))
    return root


@pytest.mark.parametrize(
    ("value", "rows", "said"),
    [(1.0, 2, None), (1.0 + 2e-16 * 2, 2, "value differ"), (1.0, 1, "2 rows and 1")],
)
def test_the_last_bit_and_every_row_must_agree(tmp_path: Path, value: float, rows: int, said: str | None) -> None:
    wrong = disagreements(write(tmp_path / "ours"), write(tmp_path / "theirs", value, rows))
    assert wrong == ([] if said is None else [f"{table}: {said}" for table in KEYS])


def test_tables_without_rows_prove_nothing(tmp_path: Path) -> None:
    wrong = disagreements(write(tmp_path / "ours", rows=0), write(tmp_path / "theirs", rows=0))
    assert wrong == [f"{table}: no rows, which say nothing" for table in KEYS]


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_every_day_has_a_file_of_readings_of_all_devices(tmp_path: Path, form: str) -> None:
    land(tmp_path, 6000, 3, FIRST, 2, form)
    home = tmp_path / "acme" / "commerce"
    assert len(list(home.glob(f"device_telemetry/*/readings.{form}"))) == 2
    assert len(list(home.glob("device_assignments/*/assignments.csv"))) == 1
    day = readings(3, 1000, FIRST)
    assert 3000 < day.height < 3050
    assert day["device_id"].n_unique() == 4  # a missing one is dirt
    assert day["metric_value"].null_count() > 0
    assert day.filter(event_time="soon").height > 0
    assert day.equals(readings(3, 1000, FIRST))
