"""What telemetry's backfill is measured against: from readings to alerts as one plain Polars script.

`python -m lakehouse_assets_tests.benchmarks.bare_telemetry <landing root> <lake root> <tenant>` reads the files of all
dates, cleans the readings, settles duplicates, sums windows up, scores them, makes alerts, and writes bronze, silver
and gold as Delta tables by tenant and date.

Belongs here: what a good engineer writes in an afternoon. The formulas of scores and alerts are the project's own, so
that the two differ in everything but them. Not here: judging, quarantine, file register, ledger, lineage, later days.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import polars as pl
from deltalake import WriterProperties

from lakehouse_assets.domains.commerce.alerts import alerts_of
from lakehouse_assets.domains.commerce.anomalies import judged_windows, windows_of
from lakehouse_assets_tests.benchmarks.bare import code, moment, number, text

WRITER = WriterProperties(compression="ZSTD", compression_level=1)
COLUMNS = ("device_id", "event_time", "metric_type", "metric_value", "region")
KEY = ("device_id", "event_time", "metric_type")
ROW = "_row_number"


class History:
    """One tenant's days: files read from the landing zone, tables written to the lake and read again."""

    def __init__(self, landing: Path, lake: Path, tenant: str) -> None:
        self.home, self.lake, self.tenant = landing / tenant / "commerce", lake, tenant
        self.days = sorted(path.name for path in (self.home / "device_telemetry").iterdir())

    def write(self, frame: pl.LazyFrame, layer: str, table: str) -> None:
        """Stream a frame into its table."""
        options = {"partition_by": ["tenant_id", "date"], "writer_properties": WRITER}
        place = str(self.lake / "commerce" / layer / table)
        frame.with_columns(pl.lit(self.tenant).alias("tenant_id")).sink_delta(
            place, mode="append", delta_write_options=options
        )

    def read(self, layer: str, table: str) -> pl.LazyFrame:
        return pl.scan_delta(str(self.lake / "commerce" / layer / table)).drop("tenant_id")

    def files(self, source: str, day: str) -> pl.LazyFrame:
        """The files of a source and date as text, with where each row stood."""
        folder = self.home / source / day
        if found := sorted(folder.glob("*.ndjson")):
            schema = dict.fromkeys(COLUMNS, pl.String)
            read = pl.scan_ndjson(found, schema=schema, row_index_name=ROW, include_file_paths="_source_file")
        else:
            found = sorted(folder.glob("*.csv"))
            read = pl.scan_csv(found, infer_schema=False, row_index_name=ROW, include_file_paths="_source_file")
        return read.with_columns(pl.lit(date.fromisoformat(day)).alias("date"))


def clean_readings(bronze: pl.LazyFrame) -> pl.LazyFrame:
    typed = bronze.with_columns(
        text("device_id"),
        moment("event_time"),
        code("metric_type").alias("metric_type"),
        number("metric_value"),
        text("region"),
    )
    valid = typed.drop_nulls([*KEY, "metric_value"]).with_columns(pl.col("event_time").dt.date().alias("date"))
    newest = valid.sort("_source_file", ROW).unique(KEY, keep="last", maintain_order=True)
    return newest.select("date", *COLUMNS)


def main(landing: Path, lake: Path, tenant: str) -> None:
    this = History(landing, lake, tenant)
    first, last = (date.fromisoformat(this.days[at]) for at in (0, -1))
    assigned = this.files("device_assignments", this.days[0])
    this.write(assigned, "bronze", "device_assignments")
    known = assigned.with_columns(
        text("device_id"), text("customer_id"), moment("assigned_from"), moment("assigned_to")
    ).drop("date")
    for day in this.days:
        # A day at a time: sorting all of them at once would take their whole size in memory.
        this.write(this.files("device_telemetry", day), "bronze", "device_telemetry")
        on = pl.col("date") == date.fromisoformat(day)
        this.write(clean_readings(this.read("bronze", "device_telemetry").filter(on)), "silver", "device_telemetry")
        this.write(known.with_columns(pl.lit(date.fromisoformat(day)).alias("date")), "silver", "device_assignments")
    this.write(windows_of(this.read("silver", "device_telemetry")), "silver", "telemetry_medians")
    windows = judged_windows(this.read("silver", "telemetry_medians"), {}, first, last)
    this.write(windows.drop("lookback"), "silver", "telemetry_windows")
    alerts = alerts_of(this.read("silver", "telemetry_windows"), this.read("silver", "device_assignments"), first, last)
    this.write(alerts, "gold", "anomaly_alerts")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
