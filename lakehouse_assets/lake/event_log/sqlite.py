"""SQLite: Dagster's storage as dagster.yaml sets it up by default, with batched events.

Belongs here: what only SQLite does, which is a database for each run beside the index of all runs.
"""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dagster import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection
from sqlalchemy.pool import NullPool

from lakehouse_assets.lake.event_log.batch import BATCHED, BatchedEventLog, batch_by_default, is_batched
from lakehouse_assets.lake.event_log.home import under_home

# The index, and the databases of the runs that are written or read at the moment.
MOST_CONNECTIONS = 8


class BatchedSqliteEventLogStorage(BatchedEventLog, SqliteEventLogStorage):
    """Two transactions a batch, one in the run's database and one in the index, in place of four an event.

    Connections stay open: to open one for each event, as Dagster does, takes most of the time of a short run.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._open: OrderedDict[str, Connection] = OrderedDict()
        self._forked = self._open
        self._opened_by = os.getpid()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            connection = self._connection(shard)
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                self._close(shard)
                raise

    def _connection(self, shard: str) -> Connection:
        """The connection to a database; those used least recently are closed."""
        if self._opened_by != os.getpid():  # a fork must leave its parent's connections alone
            self._forked, self._open, self._opened_by = self._open, OrderedDict(), os.getpid()
        if not Path(self.path_for_shard(shard)).exists():
            self._close(shard)
            self._initialized_dbs.discard(shard)
        if shard not in self._open:
            options = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
            engine = create_engine(self.conn_string_for_shard(shard), poolclass=NullPool, connect_args=options)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            self._open[shard] = engine.connect()
            # With its journal written ahead, SQLite loses at most what the machine had not written when it lost power.
            self._open[shard].exec_driver_sql("PRAGMA synchronous=NORMAL")
            self._open[shard].commit()
        self._open.move_to_end(shard)
        while len(self._open) > MOST_CONNECTIONS:
            self._close(next(iter(self._open)))
        return self._open[shard]

    def _close(self, shard: str) -> None:
        connection = self._open.pop(shard, None)
        if connection is not None:
            connection.close()
            connection.engine.dispose()

    def _close_all(self) -> None:
        with self._db_lock:
            for shard in list(self._open):
                self._close(shard)

    def dispose(self) -> None:
        super().dispose()
        self._close_all()

    def wipe(self) -> None:
        self._close_all()
        super().wipe()

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store all the events or none, so that Dagster's second try, one by one, repeats nothing."""
        if not is_batched(events):
            super().store_event_batch(events)
            return
        if not events:
            return
        written = self._rows(events)
        of_run: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for event, row in zip(events, written, strict=True):
            of_run[event.run_id].append(row)
        stored: dict[str, list[int]] = {}
        try:
            for run_id, run_rows in of_run.items():
                with self.run_connection(run_id) as connection:
                    stored[run_id] = self._insert(connection, run_rows)
            shared = [(e, row) for e, row in zip(events, written, strict=True) if e.dagster_event_type in BATCHED]
            if shared:
                indexed, rows = [event for event, _ in shared], [row for _, row in shared]
                with self._one_transaction() as connection:
                    self._index(connection, indexed, self._insert(connection, rows))
        except BaseException:
            self._take_back(stored)
            raise

    def _take_back(self, stored: Mapping[str, list[int]]) -> None:
        """Remove what runs' databases hold of a batch that the index refused; SQLite commits them apart."""
        identifier = SqlEventLogStorageTable.c.id
        for run_id, ids in stored.items():
            with self.run_connection(run_id) as connection:
                connection.execute(SqlEventLogStorageTable.delete().where(identifier.between(ids[0], ids[-1])))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        batch_by_default()
        return cls(inst_data=inst_data, **config_value)


class BatchedSqliteStorage(DagsterSqliteStorage):
    """Runs, events and schedules in SQLite below `base_dir`, which is taken from DAGSTER_HOME when relative."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = BatchedSqliteEventLogStorage(str(Path(base_dir) / "history" / "runs"))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        batch_by_default()
        return cls.from_local(under_home(config_value["base_dir"]), inst_data)
