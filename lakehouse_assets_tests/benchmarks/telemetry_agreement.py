"""Whether the bare script made the same telemetry: its tables beside the lakehouse's, row by row.

`python -m lakehouse_assets_tests.benchmarks.telemetry_agreement <lake> <bare lake>` fails where they disagree. What is
rejected in the one is dropped in the other, so that nothing may differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from lakehouse_assets_tests.benchmarks.processes import BenchmarkError

WINDOW = ("device_id", "metric_type", "window_start")
KEYS = {
    "silver/device_telemetry": ("device_id", "metric_type", "event_time"),
    "silver/telemetry_medians": WINDOW,
    "silver/telemetry_windows": WINDOW,
    "gold/anomaly_alerts": WINDOW,
}


def disagreements(lake: Path, bare: Path) -> list[str]:
    """The tables that differ, each with how."""
    wrong = []
    for table, key in KEYS.items():
        ours, theirs = (pl.scan_delta(str(root / "commerce" / table)) for root in (lake, bare))
        columns = [name for name in theirs.collect_schema() if name in ours.collect_schema()]
        one, other = (frame.select(columns).sort(key).collect(engine="streaming") for frame in (ours, theirs))
        if one.height != other.height:
            wrong.append(f"{table}: {one.height} rows and {other.height}")
        elif differing := [name for name in columns if not one[name].equals(other[name], check_names=True)]:
            wrong.append(f"{table}: {', '.join(differing)} differ")
        elif one.is_empty():
            wrong.append(f"{table}: no rows, which say nothing")
    return wrong


if __name__ == "__main__":
    if wrong := disagreements(Path(sys.argv[1]), Path(sys.argv[2])):
        raise BenchmarkError("\n".join(wrong))
