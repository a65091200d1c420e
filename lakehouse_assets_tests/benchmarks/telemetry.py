"""Telemetry from readings to alerts, over as many days as seasons take: `lakehouse backfill` beside the bare script.

Belongs here: item 'telemetry'. Not here: what lands (`telemetry_landing`), and days of crm (`days`).
"""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

from lakehouse_assets_tests.benchmarks.figures import Findings
from lakehouse_assets_tests.benchmarks.grounds import Ground
from lakehouse_assets_tests.benchmarks.processes import Cost, python
from lakehouse_assets_tests.benchmarks.sizes import Sizes

ITEM = "telemetry"
TENANT = "acme"
FIRST = date(2026, 1, 1)
SELECTED = "+commerce/gold/anomaly_alerts"
# The targets are of ten million readings.
LARGE, LIMIT, MOST_MEMORY = 10_000_000, 1.5, 3_000_000_000
MODULES = "lakehouse_assets_tests.benchmarks"


def measure(folder: Path, sizes: Sizes, found: Findings) -> None:
    """Measure both ways in turns, and hold their alerts against each other."""
    ground, bare_lake = Ground(folder / ITEM), folder / "bare"
    size = ["--readings", str(sizes.readings), "--devices", str(sizes.devices)]
    size += ["--days", str(sizes.telemetry_days), "--first", str(FIRST)]
    python(f"{MODULES}.telemetry_landing", "--to", str(ground.landing), *size)
    last = FIRST + timedelta(days=sizes.telemetry_days - 1)
    dates = ["--tenant", TENANT, "--from", str(FIRST), "--to", str(last)]
    costs: list[tuple[Cost, Cost]] = []
    for _ in range(sizes.telemetry_repetitions):
        ground.empty()
        shutil.rmtree(bare_lake, ignore_errors=True)
        ours, _ = ground.backfill("--select", SELECTED, *dates)
        bare, _ = python(f"{MODULES}.bare_telemetry", str(ground.landing), str(bare_lake), TENANT)
        costs.append((ours, bare))
    # Both did the same work, or their times say nothing.
    python(f"{MODULES}.telemetry_agreement", str(ground.lake), str(bare_lake))
    ground.remove()
    shutil.rmtree(bare_lake)
    _compare(sizes, costs, found)


def _compare(sizes: Sizes, costs: list[tuple[Cost, Cost]], found: Findings) -> None:
    work = f"{sizes.readings:,} readings of {sizes.devices} devices in {sizes.telemetry_days} days"
    ours = found.weighed(f"lakehouse backfill, {work}", [one for one, _ in costs])
    bare = found.weighed(f"bare script, {work}", [other for _, other in costs])
    is_large = sizes.readings >= LARGE
    for what, one, other, limit in (
        ("wall time", ours.wall_seconds, bare.wall_seconds, LIMIT if is_large else None),
        ("processor time", ours.processor_seconds, bare.processor_seconds, None),
    ):
        found.add(
            item=ITEM,
            what=f"{work} to alerts, `lakehouse backfill` ÷ bare script, {what}",
            target=f"at most {limit}×" if limit else "none" if is_large else "none at this size",
            measured=f"{one:.2f} s ÷ {other:.2f} s",
            ratio=one / other,
            limit=limit,
        )
    found.add_memory(f"lakehouse backfill, {work}", ours.peak_bytes, MOST_MEMORY if is_large else None)
    found.peaks[f"bare script, {work}"] = bare.peak_bytes
