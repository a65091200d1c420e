"""The one door of the oracle: a landing root and a start date in, every answer about a tenant and a day out.

Belongs here: what is asked and what is remembered between questions. Not here: how an answer comes about
(`reading`, `judging`, `silver`, `gold`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from lakehouse_assets_tests.oracle import gold, reading
from lakehouse_assets_tests.oracle.judging import CRM, Judged, Row, judge, type_of_rules
from lakehouse_assets_tests.oracle.silver import (
    Entities,
    Events,
    Tally,
    published,
    type_of_settling,
    without_duplicates,
)
from lakehouse_assets_tests.oracle.sources import CUSTOMERS, SOURCES, Source

MAX_REJECT_SHARE = 0.2
FEW_ROWS = 50


class Oracle:
    """The answers about crm. Every answer holds what the landing root held when the tenant was first asked about.

    Args:
        root: The landing root.
        start: The first daily partition; folders before it have no partition to land in.
        until: The last ingest date to look at, for the answers of an earlier day; everything when None.
    """

    domain = "crm"
    sources: Mapping[str, Source] = SOURCES
    rules: type_of_rules = CRM
    settle: type_of_settling = staticmethod(without_duplicates)
    gold_tables: Mapping[str, tuple[str, ...]] = {
        "customer_features": ("customer_id",),
        "sales_summary": (),
        "channel_performance": ("channel",),
        "top_customers": ("rank",),
    }

    def __init__(self, root: Path, start: date, *, until: date | None = None) -> None:
        self.root, self.start, self.until = root, start, until
        self._files = cache(self._read)
        self._entities = cache(self._follow)
        self._events = cache(self._place)

    def table_of(self, source: str) -> str:
        """The silver table of a source."""
        return f"{source}_clean"

    def tenants(self) -> list[str]:
        return reading.tenants(self.root)

    def ingest_dates(self, tenant: str) -> list[date]:
        """The days on which anything of the tenant landed, ascending."""
        return sorted({file.ingest_date for name in self.sources for file in self._files(name, tenant)})

    def bronze(self, source: str, tenant: str, on: date) -> list[reading.Record]:
        """The rows that landed on a day, as text, in landing order."""
        return [row for file in self.landed_files(source, tenant, on) for row in file.rows]

    def bronze_counts(self, source: str, tenant: str, on: date) -> dict[str, int]:
        """Records in a day's files: `rows` + `malformed` + those of files `refused` whole = `records`."""
        files = self.landed_files(source, tenant, on)
        return {
            "records": sum(file.records for file in files),
            "rows": sum(len(file.rows) for file in files),
            "malformed": sum(len(file.malformed) for file in files),
            "refused": sum(file.records for file in files if file.refused),
        }

    def landed_files(self, source: str, tenant: str, on: date) -> list[reading.File]:
        return [file for file in self._files(source, tenant) if file.ingest_date == on]

    def counts(self, table: str, tenant: str, on: date) -> dict[str, int]:
        """Rows `judged` for a day = `kept` + `rejected` + `duplicate` + `deleted`."""
        return self._tally(table, tenant, on).as_counts()

    def rejected(self, table: str, tenant: str, on: date) -> list[Row]:
        """The rejected rows of a day: `faults`, `_source_file`, `_row_number`, in that order of files and rows."""
        rows = sorted(self._tally(table, tenant, on).rejected, key=lambda judged: judged.record.landing_order)
        return [
            {
                "faults": judged.faults,
                "_source_file": judged.record.file,
                "_row_number": judged.record.number,
            }
            for judged in rows
        ]

    def is_refused(self, table: str, tenant: str, on: date) -> bool:
        """Whether so many of a day's rows are rejected that the table must not take the day."""
        counts = self.counts(table, tenant, on)
        return counts["judged"] >= FEW_ROWS and counts["rejected"] > MAX_REJECT_SHARE * counts["judged"]

    def silver(self, table: str, tenant: str, on: date) -> list[Row]:
        """The rows of a silver table (`leads` or `leads_clean`) of a day, by key ascending."""
        source = self._named(table)
        refers = "customer_id" in source.columns and source is not CUSTOMERS
        customers = self.state(CUSTOMERS.name, tenant, on) if refers else None
        rows = (
            self._events(source.name, tenant).kept.get(on, [])
            if source.is_event
            else self.state(table, tenant, on).values()
        )
        return sorted((published(row, customers) for row in rows), key=lambda row: str(row[source.key]))

    def state(self, table: str, tenant: str, on: date) -> dict[str, Judged]:
        return self._entities(self._named(table).name, tenant).state(on)

    def customer_features(self, tenant: str, on: date) -> list[Row]:
        """All columns but `probability_to_convert` and `probability_model`, one row per customer."""
        return gold.customer_features(self._input(tenant, on, days=365), on)

    def top_customers(self, tenant: str, on: date) -> list[Row]:
        return gold.top_customers(self.customer_features(tenant, on))

    def sales_summary(self, tenant: str, on: date) -> list[Row]:
        return gold.sales_summary(self._input(tenant, on, days=1), on)

    def channel_performance(self, tenant: str, on: date) -> list[Row]:
        return gold.channel_performance(self._input(tenant, on, days=30))

    def _input(self, tenant: str, on: date, *, days: int) -> gold.Input:
        """Leads and customers as of a day, and the interactions of the days up to it."""
        kept = self._events("interactions", tenant).kept
        window = [on - timedelta(days=back) for back in range(days)]
        return gold.Input(
            customers=[judged.row for judged in self.state("customers", tenant, on).values()],
            leads=[judged.row for judged in self.state("leads", tenant, on).values()],
            interactions=[judged.row for past in window for judged in kept.get(past, [])],
        )

    def _tally(self, table: str, tenant: str, on: date) -> Tally:
        source = self._named(table)
        tables: Entities | Events = (self._events if source.is_event else self._entities)(source.name, tenant)
        return tables.tallies.get(on, Tally())

    def _named(self, table: str) -> Source:
        """A source by its own name or that of its silver table."""
        return next(source for name, source in self.sources.items() if table in {name, self.table_of(name)})

    def _read(self, source: str, tenant: str) -> list[reading.File]:
        files = reading.files(self.root, tenant, self.sources[source], self.start)
        return [file for file in files if self.until is None or file.ingest_date <= self.until]

    def _judged(self, source: Source, tenant: str) -> list[Judged]:
        return [
            judge(source, row, self.start, self.rules) for file in self._files(source.name, tenant) for row in file.rows
        ]

    def _follow(self, source: str, tenant: str) -> Entities:
        return Entities(self.sources[source], self._judged(self.sources[source], tenant))

    def _place(self, source: str, tenant: str) -> Events:
        return Events(self.sources[source], self._judged(self.sources[source], tenant), self.settle)
