"""One tenant-day of crm, as large as asked for: `lakehouse backfill` beside the bare script, and its memory.

Belongs here: items 'day' and 'memory'. Not here: many small days (`history`).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

from lakehouse_assets_tests.benchmarks.figures import Findings
from lakehouse_assets_tests.benchmarks.grounds import Ground
from lakehouse_assets_tests.benchmarks.processes import Cost, python, weigh
from lakehouse_assets_tests.benchmarks.sizes import Sizes

TENANT = "acme"
DAY = date(2026, 1, 5)
BARE = Path(__file__).with_name("bare.py")
# At most so many times the wall time of the bare script, by records of the day.
LIMITS = {1_000_000: 2.0, 10_000_000: 1.3}
MOST_MEMORY = 4_000_000_000
LARGE = 10_000_000


def measure(folder: Path, sizes: Sizes, found: Findings, items: Collection[str]) -> None:
    """Measure both items; they share the largest day."""
    if "day" in items:
        for rows, repetitions in zip(sizes.rows, sizes.repetitions, strict=True):
            _side_by_side(folder, rows, repetitions, found)
    if "memory" in items:
        _memory(folder, sizes, found)


def work(rows: int) -> str:
    """What the report calls a day's backfill."""
    return f"lakehouse backfill, {rows:,} records in one tenant-day"


def bare_work(rows: int) -> str:
    """… and the bare script on it."""
    return f"bare script, {rows:,} records in one tenant-day"


def _side_by_side(folder: Path, rows: int, repetitions: int, found: Findings) -> None:
    ground, bare_lake = Ground(folder / "day"), folder / "bare"
    ground.land(rows, [TENANT], DAY, 1)
    costs: list[tuple[Cost, Cost]] = []
    for _ in range(repetitions):
        ground.empty()
        shutil.rmtree(bare_lake, ignore_errors=True)
        ours, _ = ground.backfill()
        bare, _ = weigh([sys.executable, str(BARE), str(ground.landing), str(bare_lake), TENANT, str(DAY)])
        costs.append((ours, bare))
    # Both did the same work, or their times say nothing.
    python("lakehouse_assets_tests.benchmarks.agreement", str(ground.lake), str(bare_lake), str(DAY))
    ground.remove()
    shutil.rmtree(bare_lake)
    _compare(rows, [ours for ours, _ in costs], [bare for _, bare in costs], found)


def _compare(rows: int, ours: Sequence[Cost], bare: Sequence[Cost], found: Findings) -> None:
    mine, other, limit = found.weighed(work(rows), ours), found.weighed(bare_work(rows), bare), LIMITS.get(rows)
    found.peaks[bare_work(rows)] = other.peak_bytes
    whole = f"{rows:,} records in one tenant-day, `lakehouse backfill` ÷ bare script"
    found.add(
        item="day",
        what=f"{whole}, wall time",
        target=f"at most {limit}×" if limit else "none at this size",
        measured=f"{mine.wall_seconds:.2f} s ÷ {other.wall_seconds:.2f} s",
        ratio=mine.wall_seconds / other.wall_seconds,
        limit=limit,
    )
    found.add(
        item="day",
        what=f"{whole}, processor time",
        target="none",
        measured=f"{mine.processor_seconds:.2f} s ÷ {other.processor_seconds:.2f} s",
        ratio=mine.processor_seconds / other.processor_seconds,
    )
    found.add(
        item="day",
        what=f"{whole}, peak memory",
        target="none",
        measured=f"{mine.peak_bytes / 1e9:.2f} GB ÷ {other.peak_bytes / 1e9:.2f} GB",
        ratio=mine.peak_bytes / other.peak_bytes,
    )


def _memory(folder: Path, sizes: Sizes, found: Findings) -> None:
    rows = max(sizes.rows)
    ground = Ground(folder / "memory")
    if work(rows) not in found.costs:
        ground.land(rows, [TENANT], DAY, 1)
        ground.empty()
        found.weighed(work(rows), [ground.backfill()[0]])
        ground.remove()
    limit = MOST_MEMORY if rows >= LARGE else None
    found.add_memory(work(rows), max(cost.peak_bytes for cost in found.costs[work(rows)]), limit)
    if not sizes.spread_rows:
        return
    ground.land(sizes.spread_rows, [TENANT], DAY, sizes.spread_days)
    ground.empty()
    spread = f"lakehouse backfill, {sizes.spread_rows:,} records in {sizes.spread_days} ingest dates"
    peak = found.weighed(spread, [ground.backfill()[0]]).peak_bytes
    ground.remove()
    found.add_memory(spread, peak, limit)
