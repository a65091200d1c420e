"""A step's chunk: what is known before it is computed, and what is computed then.

Belongs here: a table, a tenant and consecutive dates with all that ledger and register say of their inputs, and reading
those. Not here: which plan a table has (`compute`), and carrying it out (`runner`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from lakehouse_assets.lake.contract import Rule
from lakehouse_assets.lake.errors import ComputationError
from lakehouse_assets.lake.fingerprints import Fingerprints
from lakehouse_assets.lake.judge import Judged
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import EMPTY, Entry
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window
from lakehouse_assets.lake.table import Table

# So many rows are one piece of a stream, and as many bytes of Parquet are soon read.
GATHERED_ROWS = 100_000
GATHERED_BYTES = 16 * 2**20
NOTHING = EMPTY.hex()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a chunk computes: `judged` rows, and from the valid ones those that stand, by `finish`.

    `finish` gives the contract's columns and the `_flags` mask. Where rows must be `settled` first, it reads the valid
    ones, their columns `kept`, several times: give them to it from a place that is cheap to read.
    `expected` gives the rows that must be judged per date as the register knows them, None where no one counts.
    """

    judged: Judged
    finish: Callable[[pl.LazyFrame], pl.LazyFrame]
    rules: tuple[Rule, ...]
    settled: bool = False
    kept: Sequence[str] = field(default_factory=list)
    expected: Mapping[date, int] | None = None
    flag_names: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True)
class Chunk:
    """What a plan is made for: a table, a tenant, consecutive dates, and what is known of its inputs."""

    house: Lakehouse
    table: Table
    window: Window
    register: pl.DataFrame
    entries: Mapping[tuple[TableName, str], Mapping[date, Entry]]
    fingerprints: Fingerprints

    @property
    def dates(self) -> list[date]:
        return self.window.dates()

    def scan(self, name: TableName, dates: Sequence[date]) -> pl.LazyFrame:
        self.require(name, dates)
        schema = self.house.table(name).schema
        return self.house.lake.scan(name, schema, tenants=[self.window.tenant_id], dates=dates)

    def landed(self, dates: Sequence[date], where: pl.Expr | None = None) -> pl.LazyFrame:
        """The bronze rows of a source table's dates; few rows of many files in one piece, for which Python is called
        once.
        """
        name = self.bronze_name
        files = self.house.lake.files(name, tenant_id=[self.window.tenant_id], date=dates)
        rows = self.house.lake.scan_files(name, self.house.table(name).schema, files["path"].to_list())
        rows = rows if where is None else rows.filter(where)
        if files["num_records"].sum() > GATHERED_ROWS or files["size_bytes"].sum() > GATHERED_BYTES:
            return rows
        return rows.collect(engine="streaming").rechunk().lazy()

    def require(self, name: TableName, dates: Collection[date]) -> None:
        """Raise ComputationError where retention took out rows that are to be read: a result without them is wrong."""
        held = self.built(name)
        gone = [day for day in dates if day in held and held[day].is_dropped and held[day].input_fingerprint != NOTHING]
        if gone:
            asked = f"--tenant {self.window.tenant_id} --from {self.window.first} --to {self.window.last}"
            raise ComputationError(
                f"{self.table.name}: retention has dropped the rows of {name} of {len(gone)} dates from {min(gone)}: "
                f"`lakehouse backfill --rebuild --select {self.table.name.path} {asked}` builds them again first"
            )

    @property
    def bronze_name(self) -> TableName:
        """Where the rows of a source table come from."""
        return next(iter(self.table.inputs.values())).table

    @property
    def bronze_entries(self) -> Mapping[date, Entry] | None:
        """What the ledger says of a source table's bronze, None for other tables."""
        return self.built(self.bronze_name) if self.table.source is not None else None

    def built(self, name: TableName) -> Mapping[date, Entry]:
        return self.entries.get((name, self.window.tenant_id), {})
