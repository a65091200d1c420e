"""Many small days: one command for a long history, the same as a run a partition, and a new day on a long history.

Belongs here: items 'history' and 'daily'. Not here: days of millions of records (`days`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from pathlib import Path
from statistics import mean

from lakehouse_assets_tests.benchmarks.figures import Findings
from lakehouse_assets_tests.benchmarks.grounds import Ground, days_before, names
from lakehouse_assets_tests.benchmarks.processes import Cost, answer, python
from lakehouse_assets_tests.benchmarks.sizes import Sizes

# The day that is new; histories end the day before.
NEW_DAY = date(2026, 1, 5)
LAST = NEW_DAY - timedelta(days=1)
MOST_MILLISECONDS = 10
MOST_OF_ALONE = 0.1
MOST_OF_SHORT = 1.3
ALONE = "lakehouse_assets_tests.benchmarks.alone"


def measure(folder: Path, sizes: Sizes, found: Findings, items: Collection[str]) -> None:
    """Measure both items; they share the lakes."""
    long, short = Ground(folder / "long"), Ground(folder / "short")
    whole, partitions = _build(long, sizes, sizes.days, found)
    each = 1000 * whole.wall_seconds / partitions
    if "history" in items:
        found.add(
            item="history",
            what=f"{sizes.tenants} tenants × {sizes.days} days by one command, a table-partition",
            target=f"at most {MOST_MILLISECONDS} ms",
            measured=f"{each:.2f} ms ({partitions:,} in {whole.wall_seconds:.0f} s)",
            ratio=each / MOST_MILLISECONDS,
            limit=1.0,
        )
    _build(short, sizes, sizes.short_days, found)
    new = names(sizes.tenants)
    if "daily" in items:
        _new_days(long, short, new[: sizes.new_days], sizes, found)
    if "history" in items:
        alone = new[sizes.new_days :][: sizes.alone_days]
        _alone(short, alone, each, found, "in one process that is loaded already")
        own = new[sizes.new_days + sizes.alone_days :][: sizes.alone_processes]
        if own:
            _alone(short, own, each, found, "each a process, as Dagster starts them", "--processes")
    long.remove()
    short.remove()


def _build(ground: Ground, sizes: Sizes, days: int, found: Findings) -> tuple[Cost, int]:
    """Build a history by one command, with the new day held back; return its cost and how many partitions it has."""
    tenants = names(sizes.tenants)
    rows = sizes.records_a_day * (days + 1) * len(tenants)
    ground.land(rows, tenants, days_before(LAST, days), days + 1)
    ground.hold_back(NEW_DAY)
    ground.empty()
    cost, partitions = ground.backfill("--to", str(LAST))
    return found.weighed(f"lakehouse backfill, {len(tenants)} tenants × {days} days", [cost]), partitions


def _alone(ground: Ground, tenants: Collection[str], each: float, found: Findings, how: str, *options: str) -> None:
    """The same work as a run a partition: a few whole tenant-days, so that each table counts alike."""
    for tenant in tenants:
        ground.release(tenant, NEW_DAY)
    taken = answer(ALONE, str(NEW_DAY), *tenants, *options, environment=ground.environment)
    found.costs.setdefault(f"one run a partition, {how}", []).extend(Cost(*cost) for cost in taken)
    alone = 1000 * mean(cost[0] for cost in taken)
    found.add(
        item="history",
        what=f"the same ÷ a run a partition ({len(taken)} of them, {how})",
        target="at most a tenth",
        measured=f"{each:.2f} ms ÷ {alone:.0f} ms",
        ratio=each / alone,
        limit=MOST_OF_ALONE,
    )


def _new_days(long: Ground, short: Ground, tenants: Collection[str], sizes: Sizes, found: Findings) -> None:
    """A new tenant-day on either lake, in turns."""
    costs: dict[Ground, list[Cost]] = {long: [], short: []}
    arguments = ["--from", str(NEW_DAY), "--to", str(NEW_DAY)]
    for tenant in tenants:
        for ground, taken in costs.items():
            ground.release(tenant, NEW_DAY)
            taken.append(ground.backfill("--tenant", tenant, *arguments)[0])
    on = {
        ground: f"lakehouse backfill, a new tenant-day on {sizes.tenants} tenants × {days} days"
        for ground, days in ((long, sizes.days), (short, sizes.short_days))
    }
    much, little = (found.weighed(on[ground], costs[ground]).processor_seconds for ground in (long, short))
    start, _ = python("lakehouse_assets.definitions")
    work = f"a new tenant-day on {sizes.days} days ÷ on {sizes.short_days} days, processor time"
    found.add(
        item="daily",
        what=work,
        target=f"at most {MOST_OF_SHORT}×",
        measured=f"{much:.2f} s ÷ {little:.2f} s",
        ratio=much / little,
        limit=MOST_OF_SHORT,
    )
    loading = start.processor_seconds
    found.add(
        item="daily",
        what=f"{work}, without loading the definitions",
        target="none",
        measured=f"{much - loading:.2f} s ÷ {little - loading:.2f} s",
        ratio=(much - loading) / (little - loading),
    )
