"""The lake's tables on storage: read exactly these partitions, replace exactly these partitions.

Belongs here: every touch of a Delta table's files and log. Not here: what the rows mean.

Polars writes the Parquet files, then one Delta commit adds them and removes, file by file, what the partitions
held before. So no other partition can be touched, and a writer that fails leaves only files that no one reads.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, TypeVar

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from lakehouse_assets.lake.damage import broken_files, broken_log, emptied_commit
from lakehouse_assets.lake.errors import LostRaceError, StorageError
from lakehouse_assets.lake.live_files import FILE_SCHEMA, PARTITION_SCHEMA, after_commit, among, live_files
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.sink import FILE, Sink, Written, described, partition_values

RECEIPT = "lakehouse"
CONFIGURATION: dict[str, str | None] = {
    "delta.checkpointInterval": "50",
    "delta.dataSkippingNumIndexedCols": "0",
    # Commits carry receipts, from which the ledger can be written anew.
    "delta.enableExpiredLogCleanup": "false",
}
PARTITION_COLUMNS = ("tenant_id", "date")
COMMIT_ATTEMPTS = 100
CREATE_ATTEMPTS = 5
COLOUR = re.compile("\x1b\\[[0-9;]*m")
FRAME = re.compile(r"\d+: |at ")
T = TypeVar("T")


@dataclass
class Lake:
    """The lake root and the tables opened below it."""

    root: str
    options: Mapping[str, str] = field(default_factory=dict)
    _opened: dict[TableName, DeltaTable] = field(default_factory=dict)
    _live: dict[TableName, tuple[DeltaTable, int, pl.DataFrame]] = field(default_factory=dict)

    def uri(self, name: TableName) -> str:
        return f"{self.root.rstrip('/')}/{name.path}"

    def open(self, name: TableName, *, refresh: bool = True) -> DeltaTable | None:
        """The table at its newest version, or None where it was never written."""
        if name in self._opened:
            if refresh:
                self._guard(name, self._opened[name].update_incremental)
            return self._opened[name]
        try:
            self._opened[name] = DeltaTable(self.uri(name), storage_options=dict(self.options))
        except TableNotFoundError:
            return None
        except DeltaError as error:
            raise self._unreadable(name, "cannot be opened", error) from error
        if culprit := emptied_commit(self.uri(name)):
            del self._opened[name]
            raise StorageError(f"table {name} has lost rows: {culprit}; put it back from a copy")
        return self._opened[name]

    def _guard(self, name: TableName, action: Callable[[], object]) -> None:
        try:
            action()
        except (DeltaError, OSError) as error:
            self._opened.pop(name, None)
            raise self._unreadable(name, "cannot be read or written", error) from error

    def _unreadable(self, name: TableName, what: str, error: Exception) -> StorageError:
        culprit = broken_log(self.uri(name), self.options)
        why = f"{culprit}; put it back from a copy" if culprit else in_one_line(error)
        return StorageError(f"table {name} {what}: {why}")

    def require(self, name: TableName, version: int) -> None:
        """Raise StorageError where a table has not got a version that it once had, and so has lost rows."""
        opened = self.open(name, refresh=False)
        if opened is None or opened.version() < version:
            opened = self.open(name)
        if opened is None or opened.version() < version:
            found = "is not there" if opened is None else f"is at version {opened.version()}"
            raise StorageError(
                f"table {name} {found}, but the ledger knows of its version {version}: put {self.uri(name)} back from a"
                f" copy, or forget it by `lakehouse maintain reset {name}` and run the backfill again"
            )

    def broken_files(self, name: TableName, tenants: Collection[str]) -> Iterator[tuple[str, str]]:
        """The live files of these tenants that cannot be read to their end, each with what is wrong."""
        files = self.files(name, tenant_id=tenants)
        return broken_files(self.uri(name), self.options, files)

    def ensure(
        self, name: TableName, schema: Mapping[str, Any], partition_by: Sequence[str] = PARTITION_COLUMNS
    ) -> DeltaTable:
        """The table, created or with columns added where it lacks them.

        Raises StorageError where a column exists with another type.
        """
        wanted = Schema.from_arrow(pl.Schema(schema))

        def ensured() -> DeltaTable:
            opened = self.open(name) or self._create(name, wanted, partition_by)
            held = {f.name: f.type for f in opened.schema().fields}
            if changed := [f.name for f in wanted.fields if f.name in held and held[f.name] != f.type]:
                raise StorageError(
                    f"table {name} holds {changed} with another type: "
                    f"build it anew after `lakehouse maintain reset {name}`"
                )
            if missing := [f for f in wanted.fields if f.name not in held]:
                try:
                    self._guard(name, partial(opened.alter.add_columns, missing))
                except StorageError as error:
                    if isinstance(error.__cause__, CommitFailedError):
                        raise LostRaceError(f"table {name}: another writer committed first") from error
                    raise
            return opened

        return until_won(name, ensured)

    def _create(self, name: TableName, schema: Schema, partition_by: Sequence[str]) -> DeltaTable:
        """Create a table, or take the one that another writer created meanwhile."""
        fault: StorageError | None = None
        create = partial(
            DeltaTable.create,
            self.uri(name),
            schema=schema,
            mode="ignore",
            partition_by=list(partition_by),
            storage_options=dict(self.options),
            configuration=CONFIGURATION,
        )
        for attempt in range(CREATE_ATTEMPTS):
            try:
                self._guard(name, create)
            except StorageError as error:
                fault = error
                time.sleep(random.uniform(0.005, 0.02) * (attempt + 1))
            if (opened := self.open(name)) is not None:
                return opened
        raise StorageError(f"table {name} could not be created at {self.uri(name)}: {fault}") from fault

    def files(self, name: TableName, **partition: Collection[Any]) -> pl.DataFrame:
        """The live files of the partitions whose values are among the given ones: path, size_bytes, num_records
        and the partition columns.
        """
        return (
            self._known_files(name, partition)
            if self.open(name)
            else pl.DataFrame(schema=FILE_SCHEMA | PARTITION_SCHEMA)
        )

    def _known_files(self, name: TableName, partition: Mapping[str, Collection[Any]]) -> pl.DataFrame:
        """The live files of the version that is open, read from the log once."""
        opened = self._opened[name]
        held = self._live.get(name)
        if held is None or held[0] is not opened or held[1] != opened.version():
            held = self._live[name] = (opened, opened.version(), live_files(opened))
        return among(held[2], partition)

    def scan(
        self, name: TableName, schema: Mapping[str, Any], *, tenants: Collection[str], dates: Collection[date]
    ) -> pl.LazyFrame:
        """Exactly these partitions of a table, with `tenant_id` and `date`; empty where nothing is there."""
        files = self.files(name, tenant_id=tenants, date=dates)
        return self.scan_files(name, schema, files["path"].to_list())

    def scan_files(
        self,
        name: TableName,
        schema: Mapping[str, Any],
        paths: Sequence[str],
        partitions: Mapping[str, Any] = PARTITION_SCHEMA,
    ) -> pl.LazyFrame:
        """These files of a table, partition columns included."""
        full = pl.Schema({**{c: t for c, t in schema.items() if c not in partitions}, **partitions})
        if not paths:
            return pl.LazyFrame(schema=full)
        # Where a folder above the table is named like a partition, Polars would take it for one.
        hive = "=" not in self.root
        frame = pl.scan_parquet(
            [f"{self.uri(name)}/{path}" for path in paths],
            glob=False,
            hive_partitioning=hive,
            hive_schema=pl.Schema(partitions) if hive else None,
            schema=pl.Schema({c: t for c, t in full.items() if c not in partitions}),
            missing_columns="insert",
            extra_columns="ignore",
            include_file_paths=None if hive else FILE,
            storage_options=dict(self.options) or None,
        )
        return frame if hive else frame.with_columns(partition_values(partitions)).select(list(full))

    def sink(self, name: TableName, partition_by: tuple[str, ...] = PARTITION_COLUMNS) -> Sink:
        """A place for the files of one write."""
        return Sink(self.uri(name), self.options, partition_by)

    def describe(self, sink: Sink, schema: Mapping[str, Any], statistics_of: Iterable[str] = ()) -> list[Written]:
        """What a sink wrote, as its files say."""
        return described(sink, schema, statistics_of)

    def commit(
        self,
        name: TableName,
        added: Sequence[Written],
        *,
        replaces: Callable[[pl.DataFrame], pl.DataFrame],
        receipt: Mapping[str, Any],
    ) -> int:
        """Add files and remove those that `replaces` picks of the newest version's, in one commit; return its version.

        A commit is never retried on an old snapshot: the loser of a race opens the newest version and finds anew what
        it replaces, so that two first writers of a partition cannot both add to it.
        """

        def commit() -> int:
            if self.open(name) is None:
                raise StorageError(f"table {name} is not at {self.uri(name)}")
            return self.commit_on(name, added, replaces(self._known_files(name, {})), receipt)

        return until_won(name, commit)

    def commit_on(
        self, name: TableName, added: Sequence[Written], removed: pl.DataFrame, receipt: Mapping[str, Any]
    ) -> int:
        """Commit on the version last opened; raises LostRaceError where another writer was faster."""
        opened = self._opened[name]
        before = self._known_files(name, {})
        try:
            version = _commit(opened, added, removed, receipt)
        except CommitFailedError as error:
            raise LostRaceError(f"table {name}: another writer committed first") from error
        except (DeltaError, OSError) as error:
            raise StorageError(f"table {name} cannot be written: {in_one_line(error)}") from error
        self._live[name] = (opened, version, after_commit(before, added, removed))
        return version


def until_won(name: TableName, commit: Callable[[], T]) -> T:
    """What `commit` gives once it loses no race; it opens the newest version anew each time.

    Raises StorageError where it loses too many.
    """
    for attempt in range(COMMIT_ATTEMPTS):
        try:
            return commit()
        except LostRaceError:
            time.sleep(random.uniform(0.005, 0.02) * min(attempt + 1, 20))
    raise StorageError(f"table {name}: {COMMIT_ATTEMPTS} commits lost to other writers")


def in_one_line(error: Exception) -> str:
    """What an error and its causes say; delta-rs writes them as a tree of coloured lines."""
    lines = (COLOUR.sub("", line).strip(" ↳") for line in str(error).splitlines())
    return ": ".join(line for line in lines if line and not FRAME.match(line))


def _commit(opened: DeltaTable, added: Sequence[Written], removed: pl.DataFrame, receipt: Mapping[str, Any]) -> int:
    now = time.time_ns() // 1_000_000
    keys = [column for column in removed.columns if column not in FILE_SCHEMA]
    actions: list[AddAction | RemoveAction] = [
        RemoveAction(
            row["path"],
            data_change=True,
            deletion_timestamp=now,
            size=row["size_bytes"],
            partition_values={key: None if row[key] is None else str(row[key]) for key in keys},
        )
        for row in removed.iter_rows(named=True)
    ]
    actions += [
        AddAction(file.path, file.size_bytes, file.partition, now, data_change=True, stats=json.dumps(file.statistics))
        for file in added
    ]
    version = opened.version() + 1
    opened.create_write_transaction(
        actions,
        mode="append",
        schema=opened.schema(),
        partition_by=opened.metadata().partition_columns,
        commit_properties=CommitProperties(custom_metadata={RECEIPT: json.dumps(receipt)}, max_commit_retries=0),
    )
    return version


def replacing(**partition: Collection[Any]) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """What a commit removes: all live files of these partitions."""
    return partial(among, partition=partition)
