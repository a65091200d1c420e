"""The lakehouse that a run works on: landing zone, lake, bookkeeping and declared tables, opened once.

Belongs here: what every step needs at hand. Not here: where they are (`settings`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.ledger import Register, landing_files, partition_ledger
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.source import Source
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets.lake.table import Table

CHUNK_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Lakehouse:
    """Where data comes from, where tables are, and which tables there are.

    `complete` are the tables found to have every version that the ledger speaks of.
    """

    landing: Landing
    lake: Lake
    tables: Mapping[TableName, Table]
    start: date
    chunk_bytes: int = CHUNK_BYTES
    spool: str | None = field(default=None)
    complete: set[TableName] = field(default_factory=set)

    @cached_property
    def ledger(self) -> Register:
        return partition_ledger(self.lake)

    @cached_property
    def files(self) -> Register:
        return landing_files(self.lake)

    @cached_property
    def sources(self) -> dict[TableName, Source]:
        """The sources by the bronze table of each."""
        return {name: t.source for name, t in self.tables.items() if t.kind == "bronze" and t.source is not None}

    @cached_property
    def domains(self) -> dict[TableName, frozenset[str]]:
        """The domains that each table is made from, its own included."""
        found: dict[TableName, frozenset[str]] = {}
        for name, table in self.tables.items():
            found[name] = frozenset({name.domain}).union(*(found[upstream] for upstream in table.reads))
        return found

    def concerns(self, tenants: Collection[str]) -> dict[str, set[TableName]]:
        """The tables that have something of each tenant: those of the domains that it has landed in."""
        landed = {tenant: self.landing.domains(tenant) for tenant in tenants}
        return {
            tenant: {name for name, made_from in self.domains.items() if not made_from.isdisjoint(of)}
            for tenant, of in landed.items()
        }

    @property
    def newest(self) -> date:
        """The last partition that exists: tomorrow's, for clocks ahead of ours."""
        return datetime.now(UTC).date() + timedelta(days=1)

    def table(self, name: TableName) -> Table:
        if name not in self.tables:
            raise SelectionError(f"there is no table {name}")
        return self.tables[name]
