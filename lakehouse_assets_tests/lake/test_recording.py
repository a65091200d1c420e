"""What a step records of its partitions: its own metadata for each, and what succeeded where the step fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import dagster as dg
import pytest
import sqlalchemy as db
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.event_log.batch import BATCH_SIZE_VARIABLE
from lakehouse_assets.lake.recording import attach_metadata, record_materializations

TENANTS = ["acme", "globex"]
PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "date": dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-03-01"),
        "tenant": dg.DynamicPartitionsDefinition(name="tenants"),
    }
)
SHARED = {"delta_version": 7}

type_of_body = Callable[[dg.AssetExecutionContext], Iterator[Any]]


class Stage(NamedTuple):
    """An asset that no other test runs, and the instance that remembers its runs."""

    instance: dg.DagsterInstance
    key: dg.AssetKey

    def run(self, body: type_of_body, last: str = "2026-01-03") -> dg.ExecuteInProcessResult:
        """Run one step over the rectangle of dates from January 1st and both tenants."""
        check = dg.AssetCheckSpec("reconciled", asset=self.key)

        # Dagster takes no postponed annotation for a context, and this module postpones all.
        @dg.asset(key=self.key, partitions_def=PARTITIONS, code_version="1", check_specs=[check])
        def leads(context):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            yield from body(context)

        job = dg.Definitions([leads], executor=dg.in_process_executor).resolve_implicit_global_asset_job_def()
        tags = {
            "dagster/asset_partition_range_start": f"2026-01-01|{TENANTS[0]}",
            "dagster/asset_partition_range_end": f"{last}|{TENANTS[-1]}",
        }
        return job.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)

    def recorded(self, result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetMaterialization]:
        """The materializations of the run by partition, each there once and written by the step."""
        records = self.instance.fetch_materializations(self.key, limit=1000).records
        written = [record for record in records if record.run_id == result.run_id]
        found = {str(record.partition_key): record.asset_materialization for record in written}
        assert len(found) == len(written)
        assert {record.event_log_entry.step_key for record in written} <= {self.key.to_python_identifier()}
        return {key: materialization for key, materialization in found.items() if materialization is not None}


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    folder = str(tmp_path_factory.mktemp("instance"))
    storage = {
        "module": "lakehouse_assets.lake.event_log.sqlite",
        "class": "BatchedSqliteStorage",
        "config": {"base_dir": folder},
    }
    settings = {"storage": {"custom": storage}, "telemetry": {"enabled": False}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(BATCH_SIZE_VARIABLE, "1000")
        with dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides=settings)) as made:
            made.add_dynamic_partitions("tenants", TENANTS)
            yield made


@pytest.fixture
def stage(instance: dg.DagsterInstance) -> Stage:
    return Stage(instance, dg.AssetKey(["crm", "silver", f"leads_{len(instance.get_asset_keys())}"]))


def metadata_of(partitions: list[str]) -> dict[str, Mapping[str, Any]]:
    return {key: {"dagster/partition_row_count": number} for number, key in enumerate(sorted(partitions))}


def succeeding(context: dg.AssetExecutionContext) -> Iterator[Any]:
    attach_metadata(context, metadata_of(list(context.partition_keys)))
    yield dg.MaterializeResult(metadata=SHARED)
    yield dg.AssetCheckResult(passed=True)


def by_the_public_call(context: dg.AssetExecutionContext) -> Iterator[Any]:
    for key, values in metadata_of(list(context.partition_keys)).items():
        context.add_asset_metadata(values, partition_key=key)
    yield dg.MaterializeResult(metadata=SHARED)
    yield dg.AssetCheckResult(passed=True)


def failing_for_globex(context: dg.AssetExecutionContext) -> Iterator[Any]:
    metadata = metadata_of(list(context.partition_keys))
    built = {key: values for key, values in metadata.items() if key.endswith("acme")}
    assert record_materializations(context, built, shared=SHARED) == len(built)
    yield dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.ERROR)
    raise dg.Failure("globex was refused")


def test_partition_metadata_is_recorded_as_the_public_call_records_it(stage: Stage) -> None:
    public = stage.recorded(stage.run(by_the_public_call))
    ours = stage.recorded(stage.run(succeeding))
    assert len(ours) == 6
    assert ours == public


def test_metadata_given_in_two_calls_is_merged(stage: Stage) -> None:
    def twice(context: dg.AssetExecutionContext) -> Iterator[Any]:
        context.add_asset_metadata({"of": "all"})
        attach_metadata(context, {"2026-01-01|acme": {"rows": 1, "bytes": 2}})
        attach_metadata(context, {"2026-01-01|acme": {"rows": 3}, "2026-01-01|globex": {"rows": 4}})
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(passed=True)

    found = stage.recorded(stage.run(twice))
    values = {key: {name: value.value for name, value in of.metadata.items()} for key, of in found.items()}
    assert values["2026-01-01|acme"] == {"of": "all", "rows": 3, "bytes": 2}
    assert values["2026-01-01|globex"] == {"of": "all", "rows": 4}
    assert values["2026-01-02|acme"] == {"of": "all"}


def test_what_succeeded_is_materialized_although_the_step_failed(stage: Stage) -> None:
    failed = stage.run(failing_for_globex)
    assert not failed.success
    found = stage.recorded(failed)
    assert set(found) == {f"2026-01-0{day}|acme" for day in (1, 2, 3)}

    status = get_and_update_asset_status_cache_value(stage.instance, stage.key, PARTITIONS)
    assert status is not None
    assert set(status.deserialize_materialized_partition_subsets(PARTITIONS).get_partition_keys()) == set(found)
    refused = {f"2026-01-0{day}|globex" for day in (1, 2, 3)}
    assert set(status.deserialize_failed_partition_subsets(PARTITIONS).get_partition_keys()) == refused


@pytest.mark.parametrize("batch_size", ["1000", "2", "0"])
def test_a_failing_step_records_what_a_succeeding_one_would(
    stage: Stage, batch_size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BATCH_SIZE_VARIABLE, batch_size)
    succeeded = stage.recorded(stage.run(succeeding))
    assert {key: of for key, of in succeeded.items() if key.endswith("acme")} == stage.recorded(
        stage.run(failing_for_globex)
    )


def test_checks_of_a_failing_step_name_its_newest_materialization(stage: Stage) -> None:
    failed = stage.run(failing_for_globex)
    history = stage.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(stage.key, "reconciled"), limit=10
    )
    evaluation = history[0].event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
    newest = stage.instance.get_latest_materialization_event(stage.key)
    assert newest is not None
    assert (len(history), history[0].run_id, evaluation.passed) == (1, failed.run_id, False)
    assert evaluation.target_materialization_data is not None
    assert evaluation.target_materialization_data.timestamp == newest.timestamp
    assert evaluation.target_materialization_data.run_id == failed.run_id


def test_nothing_is_recorded_where_nothing_succeeded(stage: Stage) -> None:
    def all_failed(context: dg.AssetExecutionContext) -> Iterator[Any]:
        assert record_materializations(context, {}) == 0
        yield dg.AssetCheckResult(passed=False)
        raise dg.Failure("all were refused")

    assert stage.recorded(stage.run(all_failed)) == {}


@pytest.mark.parametrize("call", [attach_metadata, record_materializations])
def test_a_partition_of_another_run_is_refused_by_name(stage: Stage, call: Callable[..., Any]) -> None:
    messages: list[str] = []

    def foreign(context: dg.AssetExecutionContext) -> Iterator[Any]:
        with pytest.raises(SelectionError) as error:
            call(context, {"2026-01-03|acme": {}, "2026-02-27|acme": {}})
        messages.append(str(error.value))
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(passed=True)

    result = stage.run(foreign)
    assert result.success
    assert all(of.metadata == {} for of in stage.recorded(result).values())
    expected = (
        f"{stage.key.to_user_string()}: metadata for 1 partitions that this run does not cover, "
        "the first '2026-02-27|acme'; give it for those in context.partition_keys"
    )
    assert messages == [expected]


@pytest.mark.parametrize("body", [succeeding, failing_for_globex])
def test_a_run_opens_as_many_connections_for_many_partitions_as_for_few(stage: Stage, body: type_of_body) -> None:
    opened: list[int] = []

    def count_one(*_: object) -> None:
        opened[-1] += 1

    for last in ("2026-01-01", "2026-01-03", "2026-01-31"):  # the first run also fills caches
        opened.append(0)
        db.event.listen(db.Engine, "connect", count_one)
        stage.run(body, last)
        db.event.remove(db.Engine, "connect", count_one)
    assert opened[1] == opened[2]
