"""The report: Markdown for people, JSON for machines, a plot for both.

Belongs here: how findings are shown, and what is said of the machine. Not here: what they are.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lakehouse_assets_tests.benchmarks.figures import GB, Finding, Findings
from lakehouse_assets_tests.benchmarks.processes import middle
from lakehouse_assets_tests.benchmarks.sizes import Sizes

REPORT, FIGURES, PLOT = "README.md", "figures.json", "ratios.png"
PACKAGES = ("polars", "deltalake", "dagster", "pandera", "duckdb")
INTRODUCTION = """\
# What the lakehouse costs

Written by `make bench`. **Only the ratios compare**: seconds belong to the machine, and to what else it did; both sides
of a ratio were measured in turns in the same run. Each piece of work is a fresh process, its start-up included, on an
empty lake of its own unless the line says otherwise; times are medians, memory is the most that was seen.
"""
NOTES = """\
## What is compared

- **Bare script**: `lakehouse_assets_tests/benchmarks/bare.py` reads the same files, cleans them alike,
  keeps the newest versions and drops the duplicates, computes the same gold tables and writes the same Delta tables. It
  judges nothing, keeps no quarantine, counts nothing, knows no other day and starts no Dagster. After each size its
  tables are held against ours: rows differ by no more than was rejected, and gold's sums are near.
- **PySpark** is not installed and **not measured here**. For orientation, from another machine of two cores: in local
  mode, doing less, it took 43 s for 1 million records and 123 s for 10 million.
- **A run a partition** is what a job with partitions does: one run for each table, tenant and date. A few whole
  tenant-days are built so, a few kilobytes each, and their mean stands for all. It is measured twice: with all runs in
  one process that is loaded before the clock starts, which nobody has in production, and with a process for each run.
- **The new tenant-day** is as large on either lake. The two differ in what was built before.
- **Telemetry's bare script**, `bare_telemetry.py`, takes the formulas of scores and alerts from the project, so that
  the ratio is that of everything else. Its readings, windows and alerts must be equal to ours to the last bit.
- **Records** are 80 % interactions, 15 % leads and 5 % customers, 2 % of them dirty.
"""


def write(to: Path, found: Findings, sizes: Sizes, items: Sequence[str], *, is_quick: bool) -> None:
    """Write the report, its figures and the plot into a folder."""
    from lakehouse_assets_tests.benchmarks.plot import draw

    to.mkdir(parents=True, exist_ok=True)
    machine = this_machine()
    found.measured_on |= dict.fromkeys(items, machine["date"])
    told = {
        "machine": machine,
        "sizes": asdict(sizes),
        "items": found.measured_on,
        "findings": [{**asdict(line), "is_met": line.is_met} for line in found.in_order],
        "costs": {work: [cost.as_json() for cost in costs] for work, costs in found.costs.items()},
        "peaks": found.peaks,
    }
    (to / FIGURES).write_text(json.dumps(told, indent=1) + "\n")
    draw(found, to / PLOT)
    (to / REPORT).write_text(_markdown(found, machine, is_quick=is_quick))


def this_machine() -> dict[str, Any]:
    """Cores, memory and releases: enough to know what not to compare."""
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(pages / GB, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def earlier(to: Path) -> dict[str, Any] | None:
    """What the report that is there says, None where there is none."""
    path = to / FIGURES
    return json.loads(path.read_text()) if path.exists() else None


def _markdown(found: Findings, machine: dict[str, Any], *, is_quick: bool) -> str:
    releases = ", ".join(f"{name} {machine[name]}" for name in ("python", *PACKAGES))
    hardware = f"{machine['cores']} cores, {machine['memory_gb']} GB of memory, {machine['system']}"
    parts = [INTRODUCTION, f"{machine['date']}, {hardware}; {releases}. Measured: {_dates(found)}.\n"]
    if is_quick:
        parts.append("**A quick run on little work: it shows that the benchmarks run, and nothing else.**\n")
    lines = [_line(line) for line in found.in_order]
    parts += [
        "| what | target | measured | ratio | met |\n|---|---|---|---:|---|\n" + "\n".join(lines) + "\n",
        "The ratio is to what the line names, or to the target where that is a figure.\n",
        f"![Ratios and memory]({PLOT})\n",
        NOTES,
        "## Costs\n",
        "| work | times | wall s | processor s | peak GB |\n|---|---:|---:|---:|---:|\n" + _costs(found) + "\n",
    ]
    return "\n".join(parts)


def _dates(found: Findings) -> str:
    """The items by the date on which each was measured."""
    by_date: dict[str, list[str]] = {}
    for item, on in found.measured_on.items():
        by_date.setdefault(on, []).append(item)
    return "; ".join(f"{', '.join(items)} on {on}" for on, items in sorted(by_date.items()))


def _line(line: Finding) -> str:
    met = {True: "yes", False: "**no**", None: ""}[line.is_met]
    return f"| {line.what} | {line.target} | {line.measured} | {line.ratio:.3g} | {met} |"


def _costs(found: Findings) -> str:
    rows = []
    for work, costs in found.costs.items():
        cost = middle(costs)
        peak = f"{cost.peak_bytes / GB:.2f}" if cost.peak_bytes else ""
        rows.append(f"| {work} | {len(costs)} | {cost.wall_seconds:.2f} | {cost.processor_seconds:.2f} | {peak} |")
    return "\n".join(rows)
