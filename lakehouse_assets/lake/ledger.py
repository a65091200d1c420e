"""The ledger: which partitions are built, from what, with which code; and the files that landed.

Belongs here: the two bookkeeping tables of the platform. Not here: what ought to be built (`plan`).

Both are caches of what commits say of themselves: the ledger of the receipts in the tables' commits, the file
register of the bronze rows. Each is read and rewritten by (tenant, table), so its cost follows what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

import polars as pl

from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.storage import Lake, until_won

LEDGER = TableName("platform", "silver", "partition_ledger")
LANDING_FILES = TableName("platform", "silver", "landing_files")
GROUPED_BY = ("tenant_id", "domain", "layer", "table")
EMPTY = bytes(16)

LEDGER_SCHEMA: dict[str, pl.DataType] = {
    "domain": pl.String(),
    "layer": pl.String(),
    "table": pl.String(),
    "tenant_id": pl.String(),
    "date": pl.Date(),
    "rows_in": pl.Int64(),
    "rows_kept": pl.Int64(),
    "rows_rejected": pl.Int64(),
    "rows_duplicate": pl.Int64(),
    "rows_deleted": pl.Int64(),
    "rows_written": pl.Int64(),
    "quality_score": pl.Float64(),
    "input_fingerprint": pl.String(),
    "code_version": pl.String(),
    "table_version": pl.Int64(),
    "run_id": pl.String(),
    "built_at": pl.Datetime("us", "UTC"),
}
FILES_SCHEMA: dict[str, pl.DataType] = {
    "domain": pl.String(),
    "layer": pl.String(),
    "table": pl.String(),
    "tenant_id": pl.String(),
    "date": pl.Date(),
    "path": pl.String(),
    "size_bytes": pl.Int64(),
    "modified_at": pl.Datetime("us", "UTC"),
    "sha256": pl.String(),
    "encoding": pl.String(),
    "records": pl.Int64(),
    "rows": pl.Int64(),
    "malformed": pl.Int64(),
    "deletes": pl.Int64(),
    "refused": pl.String(),
    "business_dates": pl.List(pl.Date()),
    "business_rows": pl.List(pl.Int64()),
    "run_id": pl.String(),
}


type_of_dates = frozenset[date | None]
type_of_group = tuple[str, TableName]


class LandedFile(NamedTuple):
    """A file as far as its content decides what is built from it.

    `business_dates` are the dates of its rows for event sources, None among them where a row has none.
    """

    date: date
    path: str
    sha256: str
    business_dates: type_of_dates


class Entry(NamedTuple):
    """What the ledger says of one partition, as far as planning needs it.

    `is_dropped` says that retention took its rows out: what was built from it stands, and it vouches for nothing new.
    """

    input_fingerprint: str
    code_version: str
    is_dropped: bool = False

    @property
    def digest(self) -> bytes:
        return output_digest(self.code_version, self.input_fingerprint)


def digest(*parts: bytes | str) -> bytes:
    """16 bytes that stand for a sequence of parts."""
    hashed = blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        hashed.update(len(encoded).to_bytes(4, "little"))
        hashed.update(encoded)
    return hashed.digest()


def output_digest(code_version: str, input_fingerprint: str) -> bytes:
    """What a partition's content is determined by: its inputs' content and the code."""
    inputs = bytes.fromhex(input_fingerprint)
    return EMPTY if inputs == EMPTY else digest(code_version, inputs)


@dataclass(frozen=True)
class Register:
    """A bookkeeping table of one row per `key` within (tenant, domain, layer, table)."""

    lake: Lake
    name: TableName
    schema: Mapping[str, pl.DataType]
    newest: tuple[str, ...]

    def read(
        self, *, tenants: Collection[str] | None = None, tables: Collection[TableName] | None = None
    ) -> pl.DataFrame:
        """The rows of these tenants and tables; all where none is named."""
        wanted: dict[str, Collection[Any]] = {}
        if tenants is not None:
            wanted["tenant_id"] = tenants
        if tables is not None:
            for position, column in enumerate(("domain", "layer", "table")):
                wanted[column] = {name[position] for name in tables}
        files = self.lake.files(self.name, **wanted)
        if tables is not None and files.height:
            named = pl.DataFrame(sorted(set(tables)), schema=["domain", "layer", "table"], orient="row")
            files = files.join(named, on=["domain", "layer", "table"], how="semi")
        return self._rows(files["path"].to_list()).collect().select(list(self.schema))

    def _rows(self, paths: list[str]) -> pl.LazyFrame:
        partitions = {column: pl.String() for column in GROUPED_BY}
        return self.lake.scan_files(self.name, self.schema, paths, partitions)

    def replace(self, rows: pl.DataFrame, *, drop: Mapping[type_of_group, Collection[date]]) -> None:
        """Replace, for each (tenant, table) of `drop`, the rows of its dates by those in `rows`.

        Of rows that another writer put there meanwhile, those that `newest` ranks higher stay.
        """
        dropped = dates_of(drop)

        def replaced(held: pl.DataFrame) -> pl.DataFrame:
            kept = held.join(dropped, on=[*GROUPED_BY, "date"], how="anti", nulls_equal=True)
            return pl.concat([kept, self._newer(held, rows, dropped)])

        self.rewrite(drop, replaced)

    def rewrite(self, groups: Collection[type_of_group], change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """Replace all rows of each (tenant, table) by what `change` makes of them, in one commit.

        `change` may be called more than once: where another writer was faster, it gets what that one left.
        """
        if not groups:
            return
        self.lake.ensure(self.name, self.schema, GROUPED_BY)
        until_won(self.name, partial(self._rewrite_once, groups, change))

    def _rewrite_once(self, groups: Collection[type_of_group], change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        named = pl.DataFrame(
            sorted({(tenant, *name) for tenant, name in groups}),
            schema=dict.fromkeys(GROUPED_BY, pl.String),
            orient="row",
        )
        wanted = {column: named[column].unique().to_list() for column in GROUPED_BY}
        files = self.lake.files(self.name, **wanted).join(named, on=list(GROUPED_BY), how="semi")
        held = self._rows(files["path"].to_list()).collect().select(list(self.schema))
        changed = change(held).sort(*GROUPED_BY, "date", *self.newest)
        sink = self.lake.sink(self.name, GROUPED_BY)
        pl.collect_all([sink.of(changed.lazy())])
        written = self.lake.describe(sink, self.schema)
        self.lake.commit_on(self.name, written, files, {"rows": changed.height})

    def _newer(self, held: pl.DataFrame, rows: pl.DataFrame, dropped: pl.DataFrame) -> pl.DataFrame:
        new = rows.select(pl.col(column).cast(dtype) for column, dtype in self.schema.items())
        if "table_version" not in self.schema:
            return new
        both = pl.concat([held.join(dropped, on=[*GROUPED_BY, "date"], how="semi"), new])
        return both.sort("table_version").unique([*GROUPED_BY, "date"], keep="last", maintain_order=True)


def dates_of(groups: Mapping[type_of_group, Collection[date]]) -> pl.DataFrame:
    """The dates of each (tenant, table), as rows to join a register with."""
    return pl.DataFrame(
        [(tenant, *name, day) for (tenant, name), days in groups.items() for day in days],
        schema={**dict.fromkeys(GROUPED_BY, pl.String), "date": pl.Date},
        orient="row",
    )


def partition_ledger(lake: Lake) -> Register:
    """The ledger of a lake: one row per table and (tenant, date) built."""
    return Register(lake, LEDGER, LEDGER_SCHEMA, ("table_version",))


def landing_files(lake: Lake) -> Register:
    """The file register of a lake: one row per file that bronze has read."""
    return Register(lake, LANDING_FILES, FILES_SCHEMA, ("path",))


def entries(rows: pl.DataFrame) -> dict[tuple[TableName, str], dict[date, Entry]]:
    """Ledger rows by table and tenant, then by date."""
    found: dict[tuple[TableName, str], dict[date, Entry]] = {}
    columns = ("domain", "layer", "table", "tenant_id", "date", "input_fingerprint", "code_version")
    dropped = pl.col("table_version").is_null()
    for domain, layer, table, tenant, day, fingerprint, version, gone in rows.select(*columns, dropped).iter_rows():
        key = (TableName(domain, layer, table), tenant)
        found.setdefault(key, {})[day] = Entry(fingerprint, version, gone)
    return found


def landed_files(register: pl.DataFrame) -> list[LandedFile]:
    """Register rows as far as their content decides what is built from them."""
    columns = ("date", "path", "sha256", "business_dates")
    return [
        LandedFile(day, path, sha, frozenset(dates)) for day, path, sha, dates in register.select(columns).iter_rows()
    ]


def rows_of(records: Iterable[Mapping[str, Any]], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Records as a frame of a register's schema."""
    return pl.DataFrame(list(records), schema=pl.Schema(schema), orient="row")
