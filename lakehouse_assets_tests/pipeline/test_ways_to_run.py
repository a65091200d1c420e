"""Backfill and sensor give equal rows, and a failed partition holds up nothing but its readers."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from lakehouse_assets.automation import evaluate_landing
from lakehouse_assets.backfill import backfill, register_tenants
from lakehouse_assets.lake.assets import RANGE_END, RANGE_START
from lakehouse_assets.lake.keys import asset_key, partition_key
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets_tests.pipeline.crm_landings import assert_same, contents, land
from lakehouse_assets_tests.pipeline.three_days import (
    CHANNELS,
    FEATURES,
    FIRST,
    INTERACTIONS,
    LAST,
    MIDDLE,
    house_in,
    land_faulty_rows,
    land_late_row,
    land_three_days,
    run,
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
    land_late_row(landing)
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
        land_late_row(landing)
    elsewhere = make_plan(house, [TableName("crm", "silver", "customers_clean")], ["acme"], FIRST, LAST)
    assert elsewhere.is_empty


def test_a_refused_partition_stops_its_readers_only_and_the_fix_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    landing = tmp_path / "landing"
    land_three_days(landing)
    broken = land_faulty_rows(landing, 60)
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
    assert quarantine.filter(pl.col("date") == LAST).height == 60
    broken.unlink()
    again = backfill(house, list(house.tables), None, FIRST, LAST, instance=instance)
    assert again.is_complete
    assert again.built[FEATURES] == {Partition("acme", LAST)}


def test_a_failed_run_is_asked_for_again_only_when_its_input_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    landing = tmp_path / "landing"
    land_three_days(landing)
    broken = land_faulty_rows(landing, 60)
    house = house_in(monkeypatch, landing, tmp_path / "lake")
    runs, cursor = run_sensor_until_quiet(house, instance)
    assert json.loads(cursor)["pending"] == {}
    assert evaluate_landing(house, instance, cursor)[0] == []
    broken.unlink()
    again, _ = run_sensor_until_quiet(house, instance, cursor)
    assert 0 < again < runs
    assert make_plan(house, list(house.tables), None, FIRST, LAST).is_empty


def test_removed_files_are_noticed_also_when_they_were_all_that_a_tenant_landed(
    built: Lakehouse, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    house, landing = built, tmp_path / "landing"
    _, cursor = run_sensor_until_quiet(house, instance)
    for file in (landing / "acme").rglob("*.csv"):
        file.unlink()
    plan = make_plan(house, list(house.tables), None, FIRST, LAST)
    assert {partition.tenant_id for found in plan.build.values() for partition in found} == {"acme"}
    runs, cursor = run_sensor_until_quiet(house, instance, cursor)
    assert runs > 0
    assert make_plan(house, list(house.tables), None, FIRST, LAST).is_empty
    assert pl.read_delta(house.lake.uri(FEATURES))["tenant_id"].unique().to_list() == ["globex"]
    assert evaluate_landing(house, instance, cursor)[3] == "nothing has landed since the last tick"
    later = make_plan(house, list(house.tables), None, LAST, date(2026, 1, 8))
    assert {partition.tenant_id for found in later.build.values() for partition in found} == {"globex"}, "no day is due"


def test_a_landing_zone_that_is_not_there_empties_no_lake(
    built: Lakehouse, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    _, cursor = run_sensor_until_quiet(built, instance)
    (tmp_path / "landing").rename(tmp_path / "unmounted")
    (tmp_path / "landing").mkdir()
    requests, _, kept, reason = evaluate_landing(built, instance, cursor)
    assert (requests, json.loads(kept)) == ([], json.loads(cursor))
    assert "no tenant left" in str(reason)
