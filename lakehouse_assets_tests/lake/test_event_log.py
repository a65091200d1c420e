"""The batched event log leaves exactly what Dagster's own storage leaves, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pytest
import sqlalchemy as db
from dagster import DagsterEventType
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster_postgres.event_log import PostgresEventLogStorage
from sqlalchemy.exc import IntegrityError

from lakehouse_assets.lake.event_log.postgres import BatchedPostgresEventLogStorage
from lakehouse_assets.lake.event_log.sqlite import BatchedSqliteEventLogStorage
from lakehouse_assets_tests.lake.event_story import (
    BY_PARTITION,
    KEYS,
    LEADS,
    RUNS,
    Story,
    answers,
    in_batches,
    rows,
    statuses,
    whole_story,
)
from lakehouse_assets_tests.lake.postgres_server import Databases, private_server

BACKENDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


class Pair(NamedTuple):
    stock: SqlEventLogStorage
    batched: SqlEventLogStorage


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    with private_server() as server:
        yield server


@pytest.fixture(params=BACKENDS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """Dagster's own storage and ours, both empty."""
    if request.param == "sqlite":
        folders = str(tmp_path / "stock"), str(tmp_path / "batched")
        made = Pair(SqliteEventLogStorage(folders[0]), BatchedSqliteEventLogStorage(folders[1]))
    else:
        server: Databases = request.getfixturevalue("databases")
        urls = server.url(server.create()), server.url(server.create())
        made = Pair(PostgresEventLogStorage(urls[0]), BatchedPostgresEventLogStorage(urls[1]))
    yield made
    for storage in made:
        storage.dispose()


@pytest.mark.parametrize("seed", [None, 1])
def test_batches_leave_every_row_and_answer_that_single_events_leave(pair: Pair, seed: int | None) -> None:
    events = whole_story()
    for event in events:
        pair.stock.store_event(event)
    for batch in [events] if seed is None else in_batches(events, seed):
        pair.batched.store_event_batch(batch)
    assert statuses(pair.batched) == statuses(pair.stock)
    assert answers(pair.batched) == answers(pair.stock)
    assert rows(pair.batched) == rows(pair.stock)


def test_events_that_come_one_by_one_wait_for_no_reader(pair: Pair) -> None:
    for event in whole_story():
        pair.stock.store_event(event)
        pair.batched.store_event(event)
    assert rows(pair.batched) == rows(pair.stock)
    assert answers(pair.batched) == answers(pair.stock)


def test_checks_that_come_one_by_one_are_stored_together_before_the_next_event(pair: Pair) -> None:
    story = Story()
    for number in range(50):
        story.check_planned(LEADS, f"check {number}")
    story.add(DagsterEventType.STEP_START, None)
    batches: list[int] = []
    store = pair.batched.store_event_batch

    def counted(events: Sequence[dg.EventLogEntry]) -> None:
        batches.append(len(events))
        store(events)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair.batched, "store_event_batch", counted)
        for event in story.events:
            pair.batched.store_event(event)
    assert batches == [50]
    kinds = [entry.dagster_event_type for entry in pair.batched.get_logs_for_run(RUNS[0])]
    assert kinds == [DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED] * 50 + [DagsterEventType.STEP_START]


def test_a_run_whose_database_was_removed_is_written_anew(tmp_path: Path) -> None:
    storage = BatchedSqliteEventLogStorage(str(tmp_path))
    for _ in range(2):
        for event in whole_story():
            storage.store_event(event)
        assert storage.get_logs_for_run(RUNS[0])
        storage.wipe()
    for event in whole_story():
        storage.store_event(event)
    for run_id in RUNS:
        Path(storage.path_for_shard(run_id)).unlink()
    assert storage.get_logs_for_run(RUNS[0]) == []
    storage.dispose()


def test_the_story_has_partitions_in_every_state(pair: Pair) -> None:
    pair.batched.store_event_batch(whole_story())
    found = statuses(pair.batched)
    assert found[f"{LEADS} materialized"] == set(KEYS[:4])
    assert found[f"{LEADS} failed"] == {KEYS[4]}
    assert found[f"{LEADS} running"] == {KEYS[5]}


def test_a_batch_that_the_database_refuses_leaves_nothing(pair: Pair) -> None:
    pair.batched.store_event_batch(whole_story())
    before = rows(pair.batched)
    refused = Story()
    for run_id in RUNS:
        refused.materialized(LEADS, KEYS[4], "lost", run_id)
    refused.check_planned(LEADS, BY_PARTITION, KEYS[:1])  # planned before in that run: a unique index forbids it
    with pytest.raises(IntegrityError):
        pair.batched.store_event_batch(refused.events)
    assert rows(pair.batched) == before
    pair.batched.store_event_batch(refused.events[:2])
    assert KEYS[4] in pair.batched.get_materialized_partitions(LEADS)


def test_a_batch_costs_the_same_connections_whatever_it_holds(pair: Pair) -> None:
    pair.batched.store_event_batch(whole_story())  # a run's first batch makes its database
    opened: list[int] = []

    def count_one(*_: object) -> None:
        opened[-1] += 1

    for count in (2, 300):
        story = Story()
        for number in range(count):
            story.planned(LEADS, f"{number}|acme")
            story.materialized(LEADS, f"{number}|acme", "new")
            story.check_planned(LEADS, f"check {count} {number}")
        opened.append(0)
        db.event.listen(db.Engine, "connect", count_one)
        pair.batched.store_event_batch(story.events)
        db.event.remove(db.Engine, "connect", count_one)
    assert opened[0] == opened[1] <= 2


def test_events_of_other_types_are_stored_as_dagster_stores_them(tmp_path: Path) -> None:
    story = Story()
    story.materialized(LEADS, KEYS[0], "first")
    story.add(DagsterEventType.STEP_START, None)
    batched = BatchedSqliteEventLogStorage(str(tmp_path))
    batched.store_event_batch(story.events)
    batched.store_event_batch([])
    assert [entry.dagster_event_type for entry in batched.get_logs_for_run(RUNS[0])] == [
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.STEP_START,
    ]
    assert len(rows(batched)["events"]) == 1


def test_runs_that_write_the_same_assets_at_once_lose_nothing(pair: Pair) -> None:
    assets = [dg.AssetKey(["crm", "silver", f"table_{number}"]) for number in range(30)]
    rounds = 5
    start = threading.Barrier(2)
    failures: list[BaseException] = []

    def write(run_id: str, order: Sequence[dg.AssetKey]) -> None:
        start.wait()
        try:
            for number in range(rounds):
                story = Story()
                for asset in order:
                    story.materialized(asset, f"{number}|{run_id}", "new", run_id)
                pair.batched.store_event_batch(story.events)
        except BaseException as failure:  # noqa: BLE001 (a thread has nobody else to tell)
            failures.append(failure)

    orders = {RUNS[0]: assets, RUNS[1]: assets[::-1]}
    threads = [threading.Thread(target=write, args=item) for item in orders.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    expected = {f"{number}|{run_id}" for number in range(rounds) for run_id in RUNS}
    for asset in assets:
        assert pair.batched.get_materialized_partitions(asset) == expected
