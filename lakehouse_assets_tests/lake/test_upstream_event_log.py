"""What the event log and the recording of partitions rely on in Dagster 1.13, most of it private.

When one of these fails after an upgrade, read `event_log` and `recording` against the new release before anything else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEventType, EventLogEntry
from dagster._core.events import BATCH_WRITABLE_EVENTS
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.storage import DagsterPostgresStorage

from lakehouse_assets.lake.event_log.batch import BATCH_SIZE, BATCH_SIZE_VARIABLE, BATCHED, batch_by_default
from lakehouse_assets.lake.event_log.postgres import BatchedPostgresEventLogStorage, BatchedPostgresStorage
from lakehouse_assets.lake.event_log.sqlite import BatchedSqliteEventLogStorage, BatchedSqliteStorage

PARTITIONS = dg.StaticPartitionsDefinition([f"day_{number:02}" for number in range(25)])


class WatchedStorage(BatchedSqliteEventLogStorage):
    """Notes what Dagster hands over, and can refuse batches as a broken connection would."""

    handed_over: list[list[DagsterEventType | None]]
    refuses = False

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        self.handed_over.append([event.dagster_event_type for event in events])
        if self.refuses:
            raise ConnectionError("the connection broke")
        super().store_event_batch(events)


@pytest.fixture
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    folder = str(tmp_path_factory.mktemp("instance"))
    settings = {
        "event_log_storage": {"module": __name__, "class": "WatchedStorage", "config": {"base_dir": folder}},
        "telemetry": {"enabled": False},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(BATCH_SIZE_VARIABLE, "10")
        patch.setattr(WatchedStorage, "handed_over", [], raising=False)
        with dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides=settings)) as made:
            yield made


def run(instance: dg.DagsterInstance, asset: dg.AssetsDefinition) -> dg.ExecuteInProcessResult:
    job = dg.Definitions([asset], executor=dg.in_process_executor).resolve_implicit_global_asset_job_def()
    tags = {"dagster/asset_partition_range_start": "day_00", "dagster/asset_partition_range_end": "day_24"}
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


@dg.asset(partitions_def=PARTITIONS)
def built() -> None: ...


@dg.asset(partitions_def=PARTITIONS)
def half_built(context):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 (Dagster takes no postponed annotation)
    context.log_event(dg.AssetMaterialization("half_built", partition="day_00"))
    raise dg.Failure("day_01 was refused")


def test_dagster_hands_over_planned_and_materialized_partitions_in_batches_of_the_size_in_the_environment(
    instance: dg.DagsterInstance,
) -> None:
    assert run(instance, built).success
    planned, materialized = DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_MATERIALIZATION
    assert [(set(batch), len(batch)) for batch in WatchedStorage.handed_over] == [
        *(({planned}, size) for size in (10, 10, 5)),
        *(({materialized}, size) for size in (10, 10, 5)),
    ]


@dg.asset(check_specs=[dg.AssetCheckSpec(f"rule_{number}", asset="judged") for number in range(8)])
def judged():  # type: ignore[no-untyped-def] # noqa: ANN201 (Dagster takes no postponed annotation)
    yield dg.MaterializeResult(
        check_results=[dg.AssetCheckResult(passed=True, check_name=f"rule_{number}") for number in range(8)]
    )


def test_the_checks_of_a_step_are_stored_together_though_each_follows_an_output_of_its_own(
    instance: dg.DagsterInstance,
) -> None:
    job = dg.Definitions([judged], executor=dg.in_process_executor).resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(instance=instance)
    assert done.success
    evaluation = DagsterEventType.ASSET_CHECK_EVALUATION
    assert [batch.count(evaluation) for batch in WatchedStorage.handed_over if evaluation in batch] == [8]
    stored = [entry.dagster_event_type for entry in instance.all_logs(done.run_id)]
    assert stored.count(evaluation) == 8
    assert stored.count(DagsterEventType.STEP_OUTPUT) == 9
    assert stored.index(DagsterEventType.STEP_OUTPUT) < stored.index(evaluation)


def test_dagster_stores_the_events_of_a_refused_batch_one_by_one(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(WatchedStorage, "refuses", True)
    assert run(instance, built).success
    assert len(instance.get_materialized_partitions(built.key)) == 25
    assert "the connection broke" in capfd.readouterr().err


def test_materializations_that_a_step_logs_itself_are_stored_one_by_one_and_without_their_versions(
    instance: dg.DagsterInstance,
) -> None:
    assert not run(instance, half_built).success
    (record,) = instance.fetch_materializations(half_built.key, limit=10).records
    assert record.asset_materialization is not None
    assert record.asset_materialization.tags is None
    assert {kind for batch in WatchedStorage.handed_over for kind in batch} == {
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    }


def test_dagsters_sqlite_storage_stores_a_batch_event_by_event() -> None:
    assert SqliteEventLogStorage.store_event_batch is EventLogStorage.store_event_batch


def test_we_batch_every_type_that_dagster_sends_in_batches() -> None:
    not_stored_in_open_source = {DagsterEventType.ASSET_FAILED_TO_MATERIALIZE}
    assert BATCH_WRITABLE_EVENTS - not_stored_in_open_source <= BATCHED
    assert not SqliteEventLogStorage.can_store_asset_failure_events.fget(None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "stock, ours",
    [
        (SqliteEventLogStorage, BatchedSqliteEventLogStorage),
        (DagsterSqliteStorage, BatchedSqliteStorage),
        (PostgresEventLogStorage, BatchedPostgresEventLogStorage),
        (DagsterPostgresStorage, BatchedPostgresStorage),
    ],
)
def test_dagsters_storages_name_themselves_where_configuration_makes_them_so_ours_must_too(
    stock: Any, ours: Any
) -> None:
    assert stock.__name__ in stock.from_config_value.__func__.__code__.co_names
    assert "from_config_value" in vars(ours)
    assert issubclass(ours, stock)
    assert set(ours.config_type()) == set(stock.config_type())


def test_the_batch_size_of_the_environment_wins_over_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BATCH_SIZE_VARIABLE, "7")
    batch_by_default()
    assert os.environ[BATCH_SIZE_VARIABLE] == "7"
    monkeypatch.delenv(BATCH_SIZE_VARIABLE)
    batch_by_default()
    assert os.environ[BATCH_SIZE_VARIABLE] == str(BATCH_SIZE)
