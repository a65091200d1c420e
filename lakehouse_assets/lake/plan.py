"""Planning: what must be built so that the asked-for partitions are what the landing zone says they should be.

Belongs here: comparing what should be (fingerprints from the files that landed) with what is (the ledger). Nothing is
written. Not here: building (`runner`), and how runs are started (`backfill`, sensors).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import polars as pl

from lakehouse_assets.lake.bronze import known_and_new, survey
from lakehouse_assets.lake.fingerprints import Fingerprints
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import LandingFile, RefusedPath
from lakehouse_assets.lake.ledger import EMPTY, Entry, LandedFile, entries, landed_files, output_digest
from lakehouse_assets.lake.names import TableName, check_tenant
from lakehouse_assets.lake.partitions import Partition, days, runs_of_dates, type_of_window
from lakehouse_assets.lake.table import Table

# A run costs more than hundreds of dates without a row.
MOST_STRETCHES = 5


class Group(NamedTuple):
    """Tables that need the very same partitions, an input before its readers: one run builds them."""

    tables: tuple[TableName, ...]
    partitions: frozenset[Partition]


@dataclass
class BuildPlan:
    """What to build, upstream first; what is stale downstream of it; and what of the landing zone was looked at."""

    build: dict[TableName, set[Partition]] = field(default_factory=dict)
    stale_downstream: dict[TableName, set[Partition]] = field(default_factory=dict)
    new_files: list[LandingFile] = field(default_factory=list)
    refused: list[RefusedPath] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not any(self.build.values())

    @property
    def size(self) -> int:
        return sum(len(partitions) for partitions in self.build.values())

    def groups(self) -> list[Group]:
        """The plan as runs: neighbours in dependency order that need the same partitions go together."""
        found: list[Group] = []
        for name, partitions in self.build.items():
            if not partitions:
                continue
            if found and found[-1].partitions == partitions:
                found[-1] = Group((*found[-1].tables, name), found[-1].partitions)
            else:
                found.append(Group((name,), frozenset(partitions)))
        return found


def make_plan(
    house: Lakehouse,
    selected: Collection[TableName],
    tenants: Collection[str] | None,
    first: date,
    last: date,
    *,
    only_registered: bool = False,
    rebuild: bool = False,
) -> BuildPlan:
    """What must be built for these tables, tenants (None: all that have landed, in the tables' domains) and dates.

    Of a tenant that nobody names and whose files were all removed, only what is built can be stale: no day is due.
    Files that bronze has not read are read here, to learn the dates of their rows; `only_registered` takes those
    into account for bronze alone. `rebuild` asks for the named partitions even where they are up to date.
    """
    plan, of_tenants = _open_plan(house, tenants, only_registered=only_registered)
    concerns = house.concerns([tenant.tenant for tenant in of_tenants if tenant.has_landed]) if tenants is None else {}
    for tenant in of_tenants:
        if tenants is None and not tenant.has_landed:
            wanted = {name: [day for day in tenant.built[name] if first <= day <= last] for name in selected}
        else:
            mine = [name for name in selected if tenants is not None or name in concerns[tenant.tenant]]
            wanted = {name: days(first, last) for name in mine}
        tenant.add(wanted, rebuild=rebuild)
    return plan


def plan_of_landings(house: Lakehouse, tenants: Collection[str], *, only_registered: bool = False) -> BuildPlan:
    """What must be built so that all that these tenants landed is in every table that it affects, and no more.

    A table is due on the ingest dates of its sources, cleaned events also on the dates of the events, and wherever it
    was built before and is stale now.
    """
    plan, of_tenants = _open_plan(house, tenants, only_registered=only_registered)
    for tenant in of_tenants:
        tenant.add(tenant.due(), with_gaps=True)
    return plan


def _open_plan(
    house: Lakehouse, tenants: Collection[str] | None, *, only_registered: bool
) -> tuple[BuildPlan, list[_TenantPlan]]:
    listing = house.landing.list(sources=house.sources.values(), tenants=tenants)
    plan = BuildPlan(build={name: set() for name in house.tables}, refused=listing.refused)
    plan.stale_downstream = {name: set() for name in house.tables}
    by_tenant: dict[str, list[LandingFile]] = {check_tenant(tenant): [] for tenant in tenants or ()}
    for file in listing.files:
        if house.start <= file.date <= house.newest:
            by_tenant.setdefault(file.tenant_id, []).append(file)
        else:
            bounds = f"ingest date {file.date} is no partition: they go from {house.start} to {house.newest}"
            plan.refused.append(RefusedPath(file.path, bounds))
    ledger = house.ledger.read(tenants=None if tenants is None else list(by_tenant))
    for tenant in ledger["tenant_id"].unique():
        by_tenant.setdefault(tenant, [])
    register = house.files.read(tenants=list(by_tenant))
    built = entries(ledger)
    found = []
    for tenant, files in sorted(by_tenant.items()):
        mine = register.filter(pl.col("tenant_id") == tenant)
        found.append(_TenantPlan(house, tenant, files, mine, built, plan, only_registered=only_registered))
    return plan, found


class _TenantPlan:
    def __init__(
        self,
        house: Lakehouse,
        tenant: str,
        files: list[LandingFile],
        register: pl.DataFrame,
        built: Mapping[tuple[TableName, str], Mapping[date, Entry]],
        plan: BuildPlan,
        *,
        only_registered: bool,
    ) -> None:
        self.house, self.tenant, self.plan, self.has_landed = house, tenant, plan, bool(files)
        self.built = {name: built.get((name, tenant), {}) for name in house.tables}
        self.unread: dict[TableName, set[date]] = {}
        self.landed = {
            name: self._landed(name, source_files(name, files), register, only_registered=only_registered)
            for name in house.sources
        }
        self.expected: dict[TableName, dict[date, bytes]] = {}

    def _landed(
        self, name: TableName, files: list[LandingFile], register: pl.DataFrame, *, only_registered: bool
    ) -> list[LandedFile]:
        mine = register.filter((pl.col("domain") == name.domain) & (pl.col("table") == name.table))
        known, new = known_and_new(mine, files)
        self.plan.new_files.extend(new)
        if only_registered:
            # A token that no digest equals: the bronze partition is stale, what follows from it is not known yet.
            self.unread[name] = {file.date for file in new}
            unread = [LandedFile(f.date, f.path, f"unread {f.size_bytes} {f.modified_at}", frozenset()) for f in new]
            return landed_files(known) + unread
        surveyed = [survey(self.house, self.house.table(name), file) for file in new]
        return landed_files(pl.concat([known, *surveyed]))

    def due(self) -> dict[TableName, set[date]]:
        """The dates on which each table has something of its domains' sources, or had when it was built.

        All sources of a domain are due when one of them lands, so that a new day is one run.
        """
        due: dict[TableName, set[date]] = {}
        landed: dict[str, set[date]] = {}
        for name, files in self.landed.items():
            landed.setdefault(name.domain, set()).update(file.date for file in files)
        for name, table in self.house.tables.items():
            due[name] = set(self.built[name]).union(*(landed.get(domain, ()) for domain in self.house.domains[name]))
            if table.kind == "event":
                bronze = next(iter(table.inputs.values())).table
                due[name] |= {day or file.date for file in self.landed[bronze] for day in file.business_dates}
        return due

    def add(
        self, wanted: Mapping[TableName, Collection[date]], *, rebuild: bool = False, with_gaps: bool = False
    ) -> None:
        """Add to the plan what is stale of these dates, and what it reads.

        `with_gaps` adds the dates between those of events where they are many and far apart: history landed in bulk.
        """
        exists = {name: [day for day in dates if day <= self.house.newest] for name, dates in wanted.items()}
        wanted = {name: dates for name, dates in exists.items() if dates}
        if not wanted:
            return
        self._expect(day for dates in wanted.values() for day in dates)
        for name, dates in wanted.items():
            stale = dates if rebuild else [day for day in dates if self._is_stale(name, day)]
            if (
                with_gaps
                and self.house.table(name).kind == "event"
                and len(list(runs_of_dates(stale))) > MOST_STRETCHES
            ):
                stale = list(self._with_gaps(name, sorted(stale)))
            self.plan.build[name].update(Partition(self.tenant, day) for day in stale)
        self._require_unread(wanted)
        for name in reversed(list(self.house.tables)):
            self._require_inputs(self.house.table(name))
        for name, built in self.built.items():
            stale_built = {Partition(self.tenant, day) for day in built if self._is_stale(name, day)}
            self.plan.stale_downstream[name] |= stale_built - self.plan.build[name]

    def _expect(self, dates: Iterable[date]) -> None:
        """Compute every table's fingerprints over all dates that anything is known of."""
        known = {day for built in self.built.values() for day in built}
        known.update(day for files in self.landed.values() for f in files for day in (f.date, *f.business_dates) if day)
        known.update(dates)
        axis = days(min(known), max(known))
        found = Fingerprints(self.house.tables, self.landed, start=self.house.start, first=axis[0])
        for name, table in self.house.tables.items():
            outputs, expected = found.output(name), self.expected.setdefault(name, {})
            for day in axis:
                expected[day] = found.of(table, day)
                outputs.put(day, output_digest(table.code_version, expected[day].hex()))

    def _is_stale(self, name: TableName, day: date) -> bool:
        entry = self.built[name].get(day)
        if entry is not None and entry.is_dropped:
            return False
        if entry is None or entry.code_version != self.house.table(name).code_version:
            return True
        return entry.input_fingerprint != self.expected[name].get(day, EMPTY).hex()

    def _is_missing(self, name: TableName, day: date) -> bool:
        """Whether a reader must wait for the partition: it is stale or dropped, and there is or was something in it."""
        if day not in self.built[name] and self.expected[name].get(day, EMPTY) == EMPTY:
            return False
        return self._is_stale(name, day) or self._is_dropped(name, day)

    def _is_dropped(self, name: TableName, day: date) -> bool:
        entry = self.built[name].get(day)
        return entry is not None and entry.is_dropped

    def _snapshot_before(self, name: TableName, first: date) -> date:
        """The newest state that a build from `first` on starts from; before all dates where there is none."""
        kept = (
            d for d in self.built[name] if d < first and not self._is_stale(name, d) and not self._is_dropped(name, d)
        )
        return max(kept, default=date.min)

    def _require_unread(self, wanted: Mapping[TableName, Collection[date]]) -> None:
        """Add bronze of the files whose events may be of dates that are read: until they are, no fingerprint shows."""
        earliest = {name: min(dates) for name, dates in wanted.items()}
        for name in reversed(list(self.house.tables)):
            table, first = self.house.table(name), earliest.get(name)
            if first is None:
                continue
            for upstream, window in table.reads.items():
                if upstream not in self.house.sources:
                    low = min(window.union(first, first, self.house.start), default=first)
                    earliest[upstream] = min(low, earliest.get(upstream, low))
                elif table.kind == "event":
                    late = (d for d in self.unread.get(upstream, ()) if d.toordinal() >= first.toordinal() - 1)
                    self.plan.build[upstream].update(Partition(self.tenant, day) for day in late)

    def _require_inputs(self, table: Table) -> None:
        wanted = sorted(p.date for p in self.plan.build[table.name] if p.tenant_id == self.tenant)
        if not wanted:
            return
        for first, last in runs_of_dates(wanted):
            for name, window in table.reads.items():
                if name in self.house.sources and table.source is not None:
                    read = self._bronze_dates(table, name, first, last)
                else:
                    read = window.union(first, last, self.house.start)
                missing = [day for day in sorted(read) if self._is_missing(name, day)]
                self.plan.build[name].update(Partition(self.tenant, day) for day in self._with_gaps(name, missing))

    def _with_gaps(self, name: TableName, dates: list[date]) -> Iterable[date]:
        """The dates and, between them, those without anything to build from: one run then covers the stretch."""
        wanted = set(dates)
        if not dates or name in self.house.sources:
            return wanted
        gap: list[date] = []
        for day in days(dates[0], dates[-1]):
            if day in wanted:
                wanted.update(gap)
                gap = []
            elif day in self.built[name] or self.expected[name].get(day, EMPTY) != EMPTY:
                gap = []
            else:
                gap.append(day)
        return wanted

    def _bronze_dates(self, table: Table, bronze: TableName, first: date, last: date) -> Iterable[date]:
        landed = {file.date for file in self.landed[bronze]} | set(self.built[bronze])
        if table.kind == "entity":
            base = self._snapshot_before(table.name, first)
            return [day for day in landed if day <= last and not (day <= base and self._is_dropped(bronze, day))]
        return [day for day in landed if day >= date.fromordinal(first.toordinal() - 1)]


def source_files(bronze: TableName, files: Iterable[LandingFile]) -> list[LandingFile]:
    """The files of one source."""
    return [file for file in files if file.domain == bronze.domain and file.source == bronze.table]


def without_blocked(
    house: Lakehouse,
    build: Mapping[TableName, Collection[Partition]],
    failed: Mapping[TableName, Collection[Partition]],
) -> dict[TableName, set[Partition]]:
    """What can still be built when `failed` cannot: everything that reads none of it, directly or through others."""
    blocked: dict[TableName, set[Partition]] = {}
    for name, table in house.tables.items():
        mine = set(failed.get(name, ()))
        for upstream, window in table.reads.items():
            dates_of: dict[str, set[date]] = {}
            for tenant, day in blocked.get(upstream, ()):
                dates_of.setdefault(tenant, set()).add(day)
            for partition in build.get(name, ()):
                lost = dates_of.get(partition.tenant_id)
                if lost and _reads_any(table, upstream, window, partition.date, lost, house.start):
                    mine.add(partition)
        blocked[name] = mine
    return {name: set(build.get(name, ())) - blocked[name] for name in house.tables}


def _reads_any(
    table: Table, upstream: TableName, window: type_of_window, day: date, lost: set[date], start: date
) -> bool:
    if table.kind == "entity" and upstream.layer == "bronze":
        return min(lost) <= day
    if table.kind == "event" and upstream.layer == "bronze":
        return max(lost).toordinal() >= day.toordinal() - 1
    return not lost.isdisjoint(window.dates(day, start))
