"""The instances that dagster.yaml and deploy/dagster.postgres.yaml describe, made and used."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import deserialize_value, serialize_value

from lakehouse_assets.lake.event_log.batch import BATCH_SIZE_VARIABLE
from lakehouse_assets.lake.event_log.postgres import BatchedPostgresEventLogStorage
from lakehouse_assets.lake.event_log.sqlite import BatchedSqliteEventLogStorage
from lakehouse_assets_tests.lake.postgres_server import Databases, private_server

ROOT = Path(__file__).parents[2]
SQLITE, POSTGRES = ROOT / "dagster.yaml", ROOT / "deploy" / "dagster.postgres.yaml"
PARTITIONS = dg.StaticPartitionsDefinition(["a", "b", "c"])


@dg.asset(partitions_def=PARTITIONS)
def leads() -> None:
    print("to the compute logs")  # noqa: T201


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    with private_server() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another DAGSTER_HOME than the project's folder, with no other setting in the environment."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.setenv(BATCH_SIZE_VARIABLE, "")  # so that what the storage sets is taken back after the test
    monkeypatch.delenv(BATCH_SIZE_VARIABLE)
    monkeypatch.chdir(tmp_path)
    return folder


def built_partitions(instance: dg.DagsterInstance) -> set[str]:
    """Run the asset over all its partitions and ask the instance for them."""
    job = dg.Definitions([leads]).resolve_implicit_global_asset_job_def()
    tags = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"}
    assert job.execute_in_process(instance=instance, tags=tags).success
    return instance.get_materialized_partitions(leads.key)


def test_the_two_files_differ_in_the_storage_only() -> None:
    ours, postgres = (yaml.safe_load(path.read_text()) for path in (SQLITE, POSTGRES))
    assert ours.pop("storage") != postgres.pop("storage")
    assert ours == postgres


def test_a_copy_of_the_file_keeps_everything_below_its_own_folder(home: Path) -> None:
    shutil.copy(SQLITE, home / "dagster.yaml")
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, BatchedSqliteEventLogStorage)
        assert built_partitions(instance) == {"a", "b", "c"}
    assert {path.name for path in home.iterdir()} == {"dagster.yaml", ".dagster"}
    assert {path.name for path in home.parent.iterdir()} == {"home"}
    printed = list((home / ".dagster" / "storage").rglob("*.out"))
    assert ["to the compute logs" in path.read_text() for path in printed] == [True]


def test_without_dagster_home_the_folders_are_below_the_working_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    shutil.copy(SQLITE, home / "dagster.yaml")
    monkeypatch.chdir(home)
    reference = InstanceRef.from_dir(str(home.parent), config_dir=str(home))  # as `dagster dev` does
    with dg.DagsterInstance.from_ref(reference) as instance:
        assert built_partitions(instance) == {"a", "b", "c"}
    assert {path.name for path in home.iterdir()} == {"dagster.yaml", ".dagster"}


def test_a_worker_that_is_handed_the_instance_writes_to_the_same_place(home: Path) -> None:
    shutil.copy(SQLITE, home / "dagster.yaml")
    with dg.DagsterInstance.get() as instance:
        reference = deserialize_value(serialize_value(instance.get_ref()), InstanceRef)
        with dg.DagsterInstance.from_ref(reference) as of_worker:
            built_partitions(of_worker)
        assert instance.get_materialized_partitions(leads.key) == {"a", "b", "c"}


def test_the_settings_are_those_that_dagster_reads(home: Path) -> None:
    shutil.copy(SQLITE, home / "dagster.yaml")
    with dg.DagsterInstance.get() as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs > sum(limit["limit"] for limit in queue.tag_concurrency_limits)
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == 86400
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.freshness_enabled


@pytest.mark.postgres
@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2"])
def test_the_postgres_file_makes_an_instance_on_a_real_server(
    home: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", databases.url(databases.create(), scheme))
    shutil.copy(POSTGRES, home / "dagster.yaml")
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, BatchedPostgresEventLogStorage)
        assert built_partitions(instance) == {"a", "b", "c"}
    with dg.DagsterInstance.get() as again:
        assert again.get_materialized_partitions(leads.key) == {"a", "b", "c"}
    databases_on_disk: list[Any] = list(home.rglob("*.db"))
    assert databases_on_disk == []
