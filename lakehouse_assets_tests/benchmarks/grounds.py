"""A landing zone, a lake and Dagster's home in a folder of their own: where the work is done.

Belongs here: making, filling and emptying them. Not here: measuring (`processes`) and what is measured.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from lakehouse_assets_tests.benchmarks.processes import LAKEHOUSE, PROJECT, Cost, python, weigh

# Plain days: as many records as asked for, and all of them of their own day, so that a day is the same work anywhere.
PLAIN = (
    *("--formats", "csv", "--dirty", "0.02", "--gaps", "0", "--history-days", "0", "--late", "0"),
    *("--corrections", "0", "--deletes", "0", "--extract-every", "0"),
)


@dataclass(frozen=True)
class Ground:
    """A folder for one piece of work."""

    folder: Path

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def held_back(self) -> Path:
        return self.folder / "held back"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to work here."""
        return {
            "LAKEHOUSE_LANDING": str(self.landing),
            "LAKEHOUSE_ROOT": str(self.lake),
            "DAGSTER_HOME": str(self.folder / "home"),
        }

    def land(self, rows: int, tenants: Collection[str], first: date, days: int) -> None:
        """Make up a landing zone."""
        given = ["--rows", str(rows), "--first", str(first), "--days", str(days), "--tenants", *tenants]
        python("lakehouse_assets_tests.landing_zones", "--to", str(self.landing), *given, *PLAIN)

    def hold_back(self, day: date) -> None:
        """Take a day out of the landing zone, to land it later."""
        for folder in self.landing.glob(f"*/*/*/{day}"):
            place = self.held_back / folder.relative_to(self.landing)
            place.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(place)

    def release(self, tenant: str, day: date) -> None:
        """Land what was held back of a tenant's day."""
        for folder in (self.held_back / tenant).glob(f"*/*/{day}"):
            folder.rename(self.landing / folder.relative_to(self.held_back))

    def empty(self) -> None:
        """Forget the lake and the runs, and keep what has landed."""
        for name in ("lake", "home"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "home").mkdir(parents=True)
        shutil.copy(PROJECT / "dagster.yaml", self.folder / "home")

    def backfill(self, *arguments: str) -> tuple[Cost, int]:
        """Weigh a whole `lakehouse backfill`; return also how many partitions it built."""
        cost, said = weigh([LAKEHOUSE, "backfill", "--json", *arguments], self.environment)
        return cost, sum(len(partitions) for partitions in json.loads(said)["built"].values())

    def remove(self) -> None:
        """Give the disk space back."""
        shutil.rmtree(self.folder, ignore_errors=True)


def names(count: int) -> list[str]:
    """Tenants."""
    return [f"tenant-{number:02}" for number in range(count)]


def days_before(last: date, days: int) -> date:
    """The first of so many days to the last."""
    return last - timedelta(days=days - 1)
