"""Events to store, and all that can be read back of them, for the tests of the event log."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster import AssetCheckKey, AssetKey, DagsterEvent, DagsterEventType, EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationPlanned,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import AssetMaterializationPlannedData, AssetObservationData, StepMaterializationData
from dagster._core.instance import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from dagster._core.storage.root import TemporaryLocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage
from dagster._core.utils import make_new_run_id

DATES = ["2026-01-01", "2026-01-02", "2026-01-03"]
TENANTS = ["acme", "globex"]
PARTITIONS = dg.MultiPartitionsDefinition(
    {"date": dg.DailyPartitionsDefinition(DATES[0]), "tenant": dg.StaticPartitionsDefinition(TENANTS)}
)
KEYS = [f"{date}|{tenant}" for date in DATES for tenant in TENANTS]
LEADS, ORDERS, CATALOG = (AssetKey(["crm", layer, "leads"]) for layer in ("silver", "gold", "bronze"))
CHECK, BY_PARTITION, UNPLANNED = "row_count", "row_count_by_partition", "freshness"
RUNS = [make_new_run_id(), make_new_run_id()]
RUNLESS = ""


class Story:
    """Writes down events, one second apart, so that both storages get the very same ones."""

    def __init__(self) -> None:
        self.events: list[EventLogEntry] = []

    def add(self, kind: DagsterEventType, data: Any, run_id: str = RUNS[0]) -> None:
        self.events.append(
            EventLogEntry(  # type: ignore[no-untyped-call]
                user_message="",
                level=10,
                job_name="job",
                run_id=run_id,
                error_info=None,
                timestamp=1_767_225_600.0 + len(self.events),
                step_key="step",
                dagster_event=DagsterEvent(kind.value, "job", step_key="step", event_specific_data=data),
            )
        )

    def planned(self, asset: AssetKey, partition: str | None, run_id: str = RUNS[0]) -> None:
        self.add(
            DagsterEventType.ASSET_MATERIALIZATION_PLANNED, AssetMaterializationPlannedData(asset, partition), run_id
        )

    def materialized(self, asset: AssetKey, partition: str | None, version: str, run_id: str = RUNS[0]) -> None:
        self.add(
            DagsterEventType.ASSET_MATERIALIZATION,
            StepMaterializationData(
                dg.AssetMaterialization(
                    asset, partition=partition, metadata={"né": "O'Neil 😀"}, tags=_tags(partition, version)
                )
            ),
            run_id,
        )

    def observed(self, asset: AssetKey, partition: str | None, version: str, run_id: str = RUNS[0]) -> None:
        observation = dg.AssetObservation(asset, partition=partition, tags=_tags(partition, version))
        self.add(DagsterEventType.ASSET_OBSERVATION, AssetObservationData(observation), run_id)

    def check_planned(self, asset: AssetKey, check: str, partitions: Sequence[str] = (), run_id: str = RUNS[0]) -> None:
        subset = PARTITIONS.subset_with_partition_keys(partitions) if partitions else None
        data = AssetCheckEvaluationPlanned(asset_key=asset, check_name=check, partitions_subset=subset)
        self.add(DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, data, run_id)

    def checked(
        self, asset: AssetKey, check: str, partition: str | None = None, *, passed: bool = True, run_id: str = RUNS[0]
    ) -> None:
        data = AssetCheckEvaluation(
            asset_key=asset,
            check_name=check,
            passed=passed,
            metadata={},
            target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                run_id=RUNS[0], storage_id=3, timestamp=1.0
            )
            if passed
            else None,
            severity=dg.AssetCheckSeverity.WARN,
            partition=partition,
        )
        self.add(DagsterEventType.ASSET_CHECK_EVALUATION, data, run_id)


def _tags(partition: str | None, version: str) -> dict[str, str]:
    tags = {"dagster/data_version": version, "dagster/code_version": "not indexed"}
    if partition is not None:
        date, tenant = partition.split("|")
        tags |= {"dagster/partition/date": date, "dagster/partition/tenant": tenant}
    return tags


def whole_story() -> list[EventLogEntry]:
    """Two runs and events without a run, over assets with and without partitions, every type that is batched."""
    story = Story()
    story.check_planned(LEADS, CHECK)
    story.check_planned(LEADS, BY_PARTITION, KEYS[:3])
    for key in KEYS:
        story.planned(LEADS, key)
    story.planned(ORDERS, KEYS[0])
    story.planned(CATALOG, None)
    for key in KEYS[:4]:
        story.materialized(LEADS, key, f"first {key}")
    story.observed(LEADS, KEYS[1], "seen")
    story.materialized(ORDERS, KEYS[0], "only")
    story.observed(CATALOG, None, "seen before it is made")
    story.materialized(CATALOG, None, "only")
    story.checked(LEADS, CHECK)
    story.checked(LEADS, BY_PARTITION, KEYS[0], passed=False)
    story.checked(LEADS, BY_PARTITION, KEYS[1])
    story.checked(ORDERS, UNPLANNED, passed=False)
    story.check_planned(LEADS, CHECK, run_id=RUNS[1])
    for key in KEYS[1:3]:
        story.planned(LEADS, key, RUNS[1])
        story.materialized(LEADS, key, f"second {key}", RUNS[1])
    story.planned(LEADS, KEYS[5], RUNS[1])
    story.materialized(CATALOG, None, "reported by hand", RUNLESS)
    story.checked(LEADS, UNPLANNED, run_id=RUNLESS)
    story.checked(LEADS, CHECK, passed=False, run_id=RUNS[1])
    return story.events


def rows(storage: SqlEventLogStorage) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, without what the clock of the database or the order of the assets decides."""

    def dump(connection: db.Connection, table: str, leave_out: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        read = connection.execute(db.text(f"SELECT * FROM {table}")).mappings()
        return sorted((tuple(value for name, value in row.items() if name not in leave_out) for row in read), key=repr)

    tables: dict[str, list[tuple[Any, ...]]] = {}
    with storage.index_connection() as connection:
        tables["events"] = dump(connection, "event_logs")
        tables["assets"] = dump(connection, "asset_keys", ["id", "create_timestamp"])
        tables["tags"] = dump(connection, "asset_event_tags", ["id"])
        tables["checks"] = dump(connection, "asset_check_executions", ["create_timestamp"])
    for run_id in [*RUNS, RUNLESS]:
        with storage.run_connection(run_id) as connection:
            tables[f"events of run {run_id}"] = dump(connection, "event_logs")
    return tables


def answers(storage: SqlEventLogStorage) -> dict[str, Any]:
    """What Dagster's pages, sensors and runs ask of a storage."""
    kinds = (DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    found: dict[str, Any] = {
        "assets": sorted(storage.all_asset_keys()),  # type: ignore[no-untyped-call]
        "newest": storage.get_latest_materialization_events([LEADS, ORDERS, CATALOG]),
        "records": sorted(repr(record.asset_entry) for record in storage.get_asset_records()),
    }
    for asset in (LEADS, ORDERS, CATALOG):
        found |= {
            f"{asset} materialized": storage.get_materialized_partitions(asset),
            f"{asset} tags": storage.get_event_tags_for_asset(asset),
            f"{asset} tags of date": storage.get_event_tags_for_asset(asset, {"dagster/partition/date": DATES[0]}),
            f"{asset} planned": storage.get_latest_planned_materialization_info(asset),
            f"{asset} planned by partition": [
                storage.get_latest_planned_materialization_info(asset, key) for key in KEYS
            ],
            f"{asset} unfinished": storage.get_latest_asset_partition_materialization_attempts_without_materializations(
                asset
            ),
            f"{asset} updated": storage.get_updated_data_version_partitions(asset, KEYS, 20),
            f"{asset} materializations": storage.fetch_materializations(asset, limit=100).records,
            f"{asset} observations": storage.fetch_observations(asset, limit=100).records,
            **{f"{asset} {kind} ids": storage.get_latest_storage_id_by_partition(asset, kind) for kind in kinds},
            f"{asset} versions": storage.get_latest_tags_by_partition(asset, kinds[0], ["dagster/data_version"]),
        }
        for check in (CHECK, BY_PARTITION, UNPLANNED):
            key = AssetCheckKey(asset, check)
            history = storage.get_asset_check_execution_history(key, limit=100)
            found[f"{asset} {check} history"] = [record._replace(create_timestamp=0.0) for record in history]
    for run_id in RUNS:
        found[f"{run_id} partitions"] = storage.get_asset_partitions_for_run(run_id)
        found[f"{run_id} statistics"] = storage.get_stats_for_run(run_id)
        found[f"{run_id} steps"] = storage.get_step_stats_for_run(run_id)
        found[f"{run_id} log"] = storage.get_records_for_run(run_id)
    return found


def statuses(storage: SqlEventLogStorage) -> dict[str, Any]:
    """What Dagster's pages show of each partition; asking fills the cached status rows."""
    with dg.DagsterInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=TemporaryLocalArtifactStorage(),  # type: ignore[no-untyped-call]
        run_storage=InMemoryRunStorage(),
        event_storage=storage,
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=DefaultRunCoordinator(),
        run_launcher=SyncInMemoryRunLauncher(),
    ) as instance:
        for run_id, status in zip(RUNS, [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED], strict=True):
            instance.add_run(dg.DagsterRun(job_name="job", run_id=run_id, status=status))
        found: dict[str, Any] = {}
        for asset in (LEADS, ORDERS):
            cached = get_and_update_asset_status_cache_value(instance, asset, PARTITIONS)
            assert cached is not None
            for state, subset in {
                "materialized": cached.deserialize_materialized_partition_subsets(PARTITIONS),
                "failed": cached.deserialize_failed_partition_subsets(PARTITIONS),
                "running": cached.deserialize_in_progress_partition_subsets(PARTITIONS),
            }.items():
                found[f"{asset} {state}"] = set(subset.get_partition_keys())
        return found


def in_batches(events: Sequence[EventLogEntry], seed: int) -> list[Sequence[EventLogEntry]]:
    """Cut the events at random places, each batch holding whatever stands together."""
    cuts = sorted(random.Random(seed).sample(range(1, len(events)), 5))
    return [events[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]
