"""Event log storage that stores a batch of asset and check events in one transaction.

Belongs here: what SQLite and PostgreSQL have in common. Not here: where a database keeps the events of a run.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import sqlalchemy as db
from dagster import DagsterEventType, EventLogEntry
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from sqlalchemy.engine import Connection

log = logging.getLogger(__name__)
BATCH_SIZE_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"
BATCH_SIZE = 1000

# Any other type goes the way that Dagster's own storage takes it.
BATCHED = frozenset(
    {
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_OBSERVATION,
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    }
)
# Stored together with those: a step's output event comes before each of its checks.
STORED_TOGETHER = BATCHED | {DagsterEventType.STEP_OUTPUT}


def batch_by_default() -> None:
    """Have Dagster hand over events in batches, unless the environment has said how many at once.

    Called by a storage made from dagster.yaml: every process that writes events makes one, however it was
    started, and Dagster reads the variable anew at each event.
    """
    os.environ.setdefault(BATCH_SIZE_VARIABLE, str(BATCH_SIZE))


def is_batched(events: Sequence[EventLogEntry]) -> bool:
    """Return whether all of the events are of the types that a batch can hold."""
    return all(event.dagster_event is not None and event.dagster_event_type in STORED_TOGETHER for event in events)


class BatchedEventLog(SqlEventLogStorage):
    """What one `store_event` an event would leave, in one transaction of the index for the whole batch.

    A mixin: it stands before the storage of a database. While a batch is open on a thread, the methods of
    Dagster's storage that open a connection to the index get the batch's own, and so join its transaction.

    Events of a run that come one by one, as those of checks do, wait for the run's next event of another type, which
    the end of every step is, or for whoever reads: nobody in this process sees the difference, and a process that dies
    loses events of the step that died with it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._batch = threading.local()  # first, because the storage connects while it is made
        self._waiting: list[EventLogEntry] = []
        self._waiting_lock = threading.RLock()
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]

    def store_event(self, event: EventLogEntry) -> None:
        with self._waiting_lock:
            if event.run_id and is_batched([event]):
                self._waiting.append(event)
                if len(self._waiting) < BATCH_SIZE:
                    return
                self._store_waiting()
            else:
                self._store_waiting()
                super().store_event(event)

    def _store_waiting(self) -> None:
        """Store the events that wait, one by one where they cannot be stored together."""
        with self._waiting_lock:
            events, self._waiting = self._waiting, []
            try:
                if len(events) > 1:
                    self.store_event_batch(events)
                    return
            except Exception:  # as Dagster does with its own batches: whatever the reason, none of the events is lost
                log.exception("%d events could not be stored together", len(events))
            for event in events:
                super().store_event(event)

    def run_connection(self, run_id: str | None = None) -> Any:
        self._store_waiting()
        return super().run_connection(run_id)  # type: ignore[safe-super]

    def dispose(self) -> None:
        self._store_waiting()
        super().dispose()

    def index_connection(self) -> AbstractContextManager[Connection]:
        connection: Connection | None = getattr(self._batch, "connection", None)
        if connection is not None:
            return nullcontext(connection)
        self._store_waiting()
        return super().index_connection()  # type: ignore[safe-super] # the database's storage comes next

    def has_table(self, table_name: str) -> bool:
        connection: Connection | None = getattr(self._batch, "connection", None)
        if connection is not None:  # an engine for each question would be most of the time that checks take
            return db.inspect(connection).has_table(table_name)
        return super().has_table(table_name)  # type: ignore[safe-super]

    @contextmanager
    def _one_transaction(self) -> Iterator[Connection]:
        with self.index_transaction() as connection:
            self._batch.connection = connection
            try:
                yield connection
            finally:
                self._batch.connection = None

    def _rows(self, events: Sequence[EventLogEntry]) -> list[dict[str, Any]]:
        """The events as they are stored; to write one out takes longer than to store it."""
        return [self._event_to_row(event) for event in events]

    def _insert(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> list[int]:
        """Insert the rows and return their ids, in their order."""
        identifier = SqlEventLogStorageTable.c.id
        insert = SqlEventLogStorageTable.insert().returning(identifier, sort_by_parameter_order=True)
        return list(connection.execute(insert, list(rows)).scalars())

    def _index(self, connection: Connection, events: Sequence[EventLogEntry], ids: Sequence[int]) -> None:
        """Write what is kept beside the events: tags, the newest of each asset, the state of each check.

        Of one asset's events of one type, only the last leaves a trace in its row. The rows are written in the
        order of their keys, so that two runs that write the same assets wait for each other and never lock up.
        """
        asset_events: list[EventLogEntry] = []
        asset_ids: list[int] = []
        last: dict[tuple[str, DagsterEventType | None], tuple[int, EventLogEntry]] = {}
        for event, event_id in zip(events, ids, strict=True):
            asset_key = event.get_dagster_event().asset_key
            if event.dagster_event_type in ASSET_EVENTS and asset_key is not None:
                asset_events.append(event)
                asset_ids.append(event_id)
                last[asset_key.to_string(), event.dagster_event_type] = event_id, event
        self._store_asset_event_tags(connection, asset_events, asset_ids)
        for (_, _), (event_id, event) in sorted(last.items(), key=lambda item: (item[0][0], item[1][0])):
            self._store_asset_event(connection, event, event_id)
        for event, event_id in zip(events, ids, strict=True):
            if event.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, event_id)
