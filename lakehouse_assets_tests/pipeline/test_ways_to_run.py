"""Backfill, sensor and schedules give equal rows, and a failed partition holds up nothing but its readers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from lakehouse_assets.automation import evaluate_landing, evaluate_night, schedules
from lakehouse_assets.backfill import QUIET, backfill, register_tenants
from lakehouse_assets.house import open_house
from lakehouse_assets.lake.assets import RANGE_END, RANGE_START
from lakehouse_assets.lake.keys import asset_key, partition_key
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets_tests.pipeline.crm_landings import assert_same, contents, land

FIRST, MIDDLE, LAST = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)
INTERACTIONS = TableName("crm", "silver", "interactions_clean")
CHANNELS = TableName("crm", "gold", "channel_performance")
FEATURES = TableName("crm", "gold", "customer_features")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def land_three_days(root: Path) -> None:
    for tenant in ("acme", "globex"):
        for day in (FIRST, MIDDLE, LAST):
            land(root, tenant, "customers", day, "c.csv", [{"customer_id": f"c{day.day}", "customer_name": "Ada"}])
            lead = {"lead_id": f"l{day.day}", "customer_id": "c5", "status": "closed_won", "deal_value": "10.005"}
            lead |= {"created_date": str(FIRST), "closed_date": str(day), "updated_at": f"{day}T10:00:00Z"}
            land(root, tenant, "leads", day, "l.csv", [lead])
            call = {"interaction_id": f"i{day.day}", "customer_id": "c5", "channel": "call", "outcome": "positive"}
            late = {
                **call,
                "interaction_id": f"late{day.day}",
                "interaction_at": "2026-01-05 08:00",
                "channel": "email",
            }
            rows = [{**call, "interaction_at": f"{day} 09:00"}, {**late, "interaction_at": f"2026-01-05 0{day.day}:00"}]
            land(root, tenant, "interactions", day, "i.csv", rows)


def house_in(monkeypatch: pytest.MonkeyPatch, landing: Path, lake: Path) -> Lakehouse:
    monkeypatch.setenv("LAKEHOUSE_LANDING", str(landing))
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(lake))
    return open_house()


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three days landed, and a lake in which a backfill has built them: for copies only."""
    folder = tmp_path_factory.mktemp("built")
    land_three_days(folder / "landing")
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        house = house_in(patch, folder / "landing", folder / "lake")
        assert backfill(house, list(house.tables), None, FIRST, LAST, instance=instance).is_complete
    return folder


@pytest.fixture
def built(built_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    shutil.copytree(built_once, tmp_path, dirs_exist_ok=True)
    return house_in(monkeypatch, tmp_path / "landing", tmp_path / "lake")


def run(request: dg.RunRequest, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    from lakehouse_assets.definitions import defs

    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        asset_selection=request.asset_selection,
        tags=request.tags,
        instance=instance,
        raise_on_error=False,
        run_config=QUIET,
    )


def run_sensor_until_quiet(
    house: Lakehouse, instance: dg.DagsterInstance, cursor: str | None = None
) -> tuple[int, str]:
    """Tick, carry out what the tick asks for, and tick again, until a tick asks for nothing."""
    runs = 0
    for _ in range(12):
        requests, tenants, cursor, _ = evaluate_landing(house, instance, cursor)
        register_tenants(instance, tenants)
        if not requests:
            return runs, cursor
        runs += len(requests)
        for request in requests:
            run(request, instance)
    raise AssertionError("the sensor does not come to rest")


def test_sensor_and_backfill_give_equal_rows(
    built: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    by_sensor = house_in(monkeypatch, tmp_path / "landing", tmp_path / "by_sensor")
    run_sensor_until_quiet(by_sensor, instance)
    assert make_plan(by_sensor, list(by_sensor.tables), None, FIRST, LAST).is_empty
    assert_same(contents(by_sensor), contents(built))


def test_a_new_day_is_one_run_and_nothing_new_is_none(
    built: Lakehouse, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    house, landing = built, tmp_path / "landing"
    runs, cursor = run_sensor_until_quiet(house, instance)
    assert runs == 0
    requests, _, cursor, reason = evaluate_landing(house, instance, cursor)
    assert (requests, reason) == ([], "nothing has landed since the last tick")
    day = date(2026, 1, 8)
    land(landing, "acme", "products", day, "p.csv", [{"product_id": "p1", "list_price": 3}])
    requests, _, _, _ = evaluate_landing(house, instance, cursor)
    assert [(r.tags[RANGE_START], r.tags[RANGE_END]) for r in requests] == [("2026-01-08|acme", "2026-01-08|acme")]
    assert len(requests[0].asset_selection or []) == sum(name.domain == "crm" for name in house.tables)


def test_a_late_row_rebuilds_its_event_date_and_what_reads_it(
    built: Lakehouse, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    house, landing = built, tmp_path / "landing"
    late = {"interaction_id": "x", "customer_id": "c6", "channel": "meeting", "interaction_at": "2026-01-06 23:00"}
    land(landing, "acme", "interactions", LAST, "late.csv", [late])
    plan = make_plan(house, list(house.tables), None, FIRST, LAST)
    assert plan.build[INTERACTIONS] == {Partition("acme", MIDDLE)}
    assert plan.build[FEATURES] == {Partition("acme", MIDDLE), Partition("acme", LAST)}
    assert not plan.build[TableName("crm", "silver", "leads_clean")]


def test_a_backfill_of_gold_alone_reads_the_new_events_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    """On a new lake, and when a late file lands: the dates of its rows are known only once it is read."""
    landing = tmp_path / "landing"
    land_three_days(landing)
    house = house_in(monkeypatch, landing, tmp_path / "lake")
    for events in (6, 7):
        result = backfill(house, [CHANNELS], ["acme"], FIRST, LAST, instance=instance)
        assert result.is_complete
        assert make_plan(house, [CHANNELS], ["acme"], FIRST, LAST).is_empty
        counted = pl.read_delta(house.lake.uri(INTERACTIONS)).height
        assert counted == events
        late = {"interaction_id": "x", "customer_id": "c6", "channel": "meeting", "interaction_at": "2026-01-06 23:00"}
        land(landing, "acme", "interactions", LAST, "late.csv", [late])
    elsewhere = make_plan(house, [TableName("crm", "silver", "customers_clean")], ["acme"], FIRST, LAST)
    assert elsewhere.is_empty


def test_a_refused_partition_stops_its_readers_only_and_the_fix_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    landing = tmp_path / "landing"
    land_three_days(landing)
    faulty = [{"interaction_id": f"f{i}", "interaction_at": f"{LAST} 10:00"} for i in range(60)]
    broken = land(landing, "acme", "interactions", LAST, "broken.csv", faulty)
    house = house_in(monkeypatch, landing, tmp_path / "lake")
    result = backfill(house, list(house.tables), None, FIRST, LAST, instance=instance)
    assert not result.is_complete
    assert result.failed == {INTERACTIONS: {Partition("acme", LAST)}}
    assert "customer_id_is_null" in result.reasons[0]
    assert result.not_built[FEATURES] == {Partition("acme", LAST)}
    assert result.built[FEATURES] >= {Partition("globex", LAST), Partition("acme", MIDDLE)}
    recorded = instance.get_materialized_partitions(asset_key(INTERACTIONS))
    assert partition_key(Partition("globex", LAST)) in recorded
    assert partition_key(Partition("acme", LAST)) not in recorded
    quarantine = pl.read_delta(house.lake.uri(INTERACTIONS.quarantine))
    assert quarantine.filter(pl.col("date") == LAST).height == len(faulty)
    broken.unlink()
    again = backfill(house, list(house.tables), None, FIRST, LAST, instance=instance)
    assert again.is_complete
    assert again.built[FEATURES] == {Partition("acme", LAST)}


def test_a_failed_run_is_asked_for_again_only_when_its_input_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    landing = tmp_path / "landing"
    land_three_days(landing)
    faulty = [{"interaction_id": f"f{i}", "interaction_at": f"{LAST} 10:00"} for i in range(60)]
    broken = land(landing, "acme", "interactions", LAST, "broken.csv", faulty)
    house = house_in(monkeypatch, landing, tmp_path / "lake")
    runs, cursor = run_sensor_until_quiet(house, instance)
    assert json.loads(cursor)["pending"] == {}
    assert evaluate_landing(house, instance, cursor)[0] == []
    broken.unlink()
    again, _ = run_sensor_until_quiet(house, instance, cursor)
    assert 0 < again < runs
    assert make_plan(house, list(house.tables), None, FIRST, LAST).is_empty


def test_the_nightly_schedules_close_the_day_for_every_tenant(
    built: Lakehouse, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    house = built
    nights = {schedule.name: schedule.cron_schedule for schedule in schedules()}
    assert nights["bronze_to_silver_daily"] == "0 2 * * *"
    assert nights["silver_to_gold_daily"] == "0 3 * * *"
    day = date(2026, 1, 8)
    for layers in (("bronze", "silver"), ("gold", "platinum")):
        for request in evaluate_night(house, instance, day, layers, "night"):
            assert run(request, instance).success
        assert evaluate_night(house, instance, day, layers, "night") == []
    assert make_plan(house, list(house.tables), None, date(2026, 1, 8), date(2026, 1, 8)).is_empty
    features = pl.read_delta(house.lake.uri(FEATURES)).filter(pl.col("date") == date(2026, 1, 8))
    assert sorted(features["tenant_id"].unique()) == ["acme", "globex"]


def test_a_night_brings_everything_up_to_date_where_no_sensor_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    """On a new lake, and after a late row of one tenant, which affects days before the one that is closed."""
    landing = tmp_path / "landing"
    land_three_days(landing)
    house = house_in(monkeypatch, landing, tmp_path / "lake")
    tables = list(house.tables)
    for layers in (("bronze", "silver"), ("gold", "platinum")):
        for request in evaluate_night(house, instance, LAST, layers, "night"):
            assert run(request, instance).success
    assert make_plan(house, tables, None, LAST, LAST).is_empty

    late = {"interaction_id": "x", "customer_id": "c6", "channel": "meeting", "interaction_at": "2026-01-06 23:00"}
    land(landing, "acme", "interactions", LAST, "late.csv", [late])
    day = date(2026, 1, 8)
    for layers in (("bronze", "silver"), ("gold", "platinum")):
        for request in evaluate_night(house, instance, day, layers, "night"):
            assert run(request, instance).success
    assert make_plan(house, tables, None, day, day).is_empty
    counted = pl.read_delta(house.lake.uri(CHANNELS)).filter(date=day, tenant_id="acme", channel="meeting")
    assert counted["interactions"].to_list() == [1]
