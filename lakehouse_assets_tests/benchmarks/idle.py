"""What is spent while nothing is to be done: a tick of the sensor, and the start of commands.

Belongs here: items 'sensor' and 'start'. Not here: any building.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

from lakehouse_assets_tests.benchmarks.figures import Findings
from lakehouse_assets_tests.benchmarks.grounds import Ground, days_before, names
from lakehouse_assets_tests.benchmarks.history import LAST
from lakehouse_assets_tests.benchmarks.processes import LAKEHOUSE, answer, python, weigh
from lakehouse_assets_tests.benchmarks.sizes import Sizes

MOST_TICK_SECONDS = 1.0
MOST_HELP_SECONDS = 0.5
MOST_LOADING_SECONDS = 2.5


def sensor(folder: Path, sizes: Sizes, found: Findings) -> None:
    """A tick over files that are all landed, seen and built."""
    tenants, days = names(sizes.sensor_tenants), sizes.sensor_days
    ground = Ground(folder / "sensor")
    ground.land(sizes.records_a_day * days * len(tenants), tenants, days_before(LAST, days), days)
    ground.empty()
    found.weighed(f"lakehouse backfill, {len(tenants)} tenants × {days} days", [ground.backfill()[0]])
    told = answer("lakehouse_assets_tests.benchmarks.ticks", str(sizes.ticks), environment=ground.environment)
    ground.remove()
    spent = median(told["seconds"])
    found.add(
        item="sensor",
        what=f"a tick with nothing to do, {len(tenants)} tenants × {days} days, {told['files']:,} files",
        target=f"at most {MOST_TICK_SECONDS:.0f} s of processor time",
        measured=f"{spent:.3f} s (median of {len(told['seconds'])})",
        ratio=spent / MOST_TICK_SECONDS,
        limit=1.0,
    )


def start(sizes: Sizes, found: Findings) -> None:
    """Commands started with compiled bytecode."""
    shown = [weigh([LAKEHOUSE, "--help"])[0] for _ in range(sizes.starts + 1)][1:]
    loaded = [python("lakehouse_assets.definitions")[0] for _ in range(sizes.starts + 1)][1:]
    wall = found.weighed("lakehouse --help", shown).wall_seconds
    found.add(
        item="start",
        what="`lakehouse --help`, wall time",
        target=f"at most {MOST_HELP_SECONDS} s",
        measured=f"{wall:.2f} s (median of {sizes.starts})",
        ratio=wall / MOST_HELP_SECONDS,
        limit=1.0,
    )
    spent = found.weighed("loading lakehouse_assets.definitions", loaded).processor_seconds
    found.add(
        item="start",
        what="loading the definitions, processor time, the interpreter's start included",
        target=f"at most {MOST_LOADING_SECONDS} s",
        measured=f"{spent:.2f} s (median of {sizes.starts})",
        ratio=spent / MOST_LOADING_SECONDS,
        limit=1.0,
    )
