"""Makes up days of telemetry: `python -m lakehouse_assets_tests.benchmarks.telemetry_landing --to <landing root> …`.

Every device reads at the same pace, its temperature following the time of day; now and then it runs hot for half an
hour. Of a thousand readings five land twice, with another value, and five are dirty. The same options give the same
files.

Belongs here: what lands for the item 'telemetry'. Not here: what is made of it.
"""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

TENANT = "acme"
DAY_SECONDS = 86_400
TWICE = DIRTY = 0.005
HOT_HOURS_SHARE = 0.001
HOURS = 48  # half-hours of a day


def readings(devices: int, each: int, day: date) -> pl.DataFrame:
    """A day's readings in the order in which they land: `each` of every device, and those that land twice."""
    chance = np.random.default_rng(day.toordinal())
    count = devices * each
    device = np.tile(np.arange(devices), each)
    second = np.repeat(np.arange(each) * DAY_SECONDS // each, devices) + chance.integers(0, DAY_SECONDS // each, count)
    hot = chance.random((devices, HOURS)) < HOT_HOURS_SHARE
    daily = 3 * np.sin(2 * np.pi * second / DAY_SECONDS + device)
    value = 20 + device % 7 + daily + chance.normal(0, 0.4, count) + 9 * hot[device, second * HOURS // DAY_SECONDS]
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    at = pl.lit(midnight) + pl.duration(seconds=pl.col("second"))
    landed = pl.DataFrame({"device": device, "second": second, "metric_value": np.round(value, 3)}).select(
        pl.format("device-{}", pl.col("device").cast(pl.String).str.zfill(4)).alias("device_id"),
        at.dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("event_time"),
        pl.lit("temperature").alias("metric_type"),
        "metric_value",
        pl.format("region-{}", pl.col("device") % 5).alias("region"),
    )
    again = landed.filter(pl.Series(chance.random(count) < TWICE)).with_columns(pl.col("metric_value") + 0.5)
    dirt = pl.Series(chance.random(count) < DIRTY)
    kind = pl.Series(chance.integers(0, 3, count))
    dirty = landed.with_columns(
        pl.when(~dirt | (kind != 0)).then("device_id"),
        pl.when(~dirt | (kind != 1)).then("event_time").otherwise(pl.lit("soon")),
        pl.when(~dirt | (kind != 2)).then("metric_value"),
    )
    return pl.concat([dirty, again])


def land(root: Path, count: int, devices: int, first: date, days: int, form: str) -> None:
    """Write about `count` readings into a landing zone, a file a day, and who has the devices with the first."""
    home = root / TENANT / "commerce"
    for day in (first + timedelta(days=n) for n in range(days)):
        place = home / "device_telemetry" / str(day)
        place.mkdir(parents=True, exist_ok=True)
        frame = readings(devices, max(1, count // devices // days), day)
        if form == "csv":
            frame.write_csv(place / "readings.csv")
        else:
            frame.write_ndjson(place / "readings.ndjson")
    place = home / "device_assignments" / str(first)
    place.mkdir(parents=True, exist_ok=True)
    names = [f"device-{number:04}" for number in range(0, devices, 2)]
    customers = [f"c{number:04}" for number in range(len(names))]
    assigned = pl.DataFrame({"device_id": names, "customer_id": customers})
    assigned = assigned.with_columns(
        pl.lit(f"{first}T00:00:00Z").alias("assigned_from"), pl.lit("").alias("assigned_to")
    )
    assigned.write_csv(place / "assignments.csv")


def main() -> None:
    parser = argparse.ArgumentParser(prog="telemetry_landing", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--to", type=Path, required=True, help="the landing root, made where it is missing")
    parser.add_argument("--readings", type=int, default=10_000_000)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--first", type=date.fromisoformat, default=date(2026, 1, 1))
    parser.add_argument("--days", type=int, default=35)
    parser.add_argument("--form", choices=("ndjson", "csv"), default="ndjson")
    given = parser.parse_args()
    land(given.to, given.readings, given.devices, given.first, given.days, given.form)


if __name__ == "__main__":
    main()
