"""SQLite: Dagster's storage as dagster.yaml sets it up by default, with batched events.

Belongs here: what only SQLite does, which is a database for each run beside the index of all runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dagster import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

from lakehouse_assets.lake.event_log.batch import BatchedEventLog, batch_by_default, is_batched
from lakehouse_assets.lake.event_log.home import under_home


class BatchedSqliteEventLogStorage(BatchedEventLog, SqliteEventLogStorage):
    """Two transactions a batch, one in the run's database and one in the index, in place of four an event."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store all the events or none, so that Dagster's second try, one by one, repeats nothing."""
        if not is_batched(events):
            super().store_event_batch(events)
            return
        if not events:
            return
        of_run: dict[str, list[EventLogEntry]] = defaultdict(list)
        for event in events:
            of_run[event.run_id].append(event)
        stored: dict[str, list[int]] = {}
        try:
            for run_id, run_events in of_run.items():
                with self.run_connection(run_id) as connection:
                    stored[run_id] = self._insert(connection, run_events)
            with self._one_transaction() as connection:
                self._index(connection, events, self._insert(connection, events))
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
