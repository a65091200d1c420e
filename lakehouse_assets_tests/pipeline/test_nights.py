"""A night ends what it begins, asks for nothing that its plan does not want, and one tenant's fault stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from lakehouse_assets.automation import schedules, sensors
from lakehouse_assets.backfill import backfill
from lakehouse_assets.house import open_house
from lakehouse_assets.lake.assets import RANGE_END, RANGE_START
from lakehouse_assets.lake.keys import asset_key, partition_of
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, days
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.retention import DROPPED, drop, due, parse_keep
from lakehouse_assets.nights import LAYERS, evaluate_night, evaluate_nights
from lakehouse_assets_tests.pipeline.crm_landings import land
from lakehouse_assets_tests.pipeline.three_days import (
    CHANNELS,
    FEATURES,
    INTERACTIONS,
    LAST,
    house_in,
    land_faulty_rows,
    land_late_row,
    land_three_days,
    run,
)

OLD, DAY = date(2025, 11, 20), date(2026, 1, 8)
CUSTOMERS = TableName("crm", "silver", "customers_clean")


def waves(house: Lakehouse, instance: dg.DagsterInstance, day: date) -> Iterator[list[dg.RunRequest]]:
    """What both schedules begin and the sensor goes on with, each wave before the next one is asked for."""
    for name, layers in LAYERS.items():
        requests, cursor = evaluate_night(house, instance, day, layers, name), None
        while requests:
            yield requests
            requests, cursor = evaluate_nights(house, instance, cursor)
        assert evaluate_nights(house, instance, cursor)[0] == []


def close(house: Lakehouse, instance: dg.DagsterInstance, day: date) -> list[dg.RunRequest]:
    """Carry a night out; return all runs that it asked for. Fails where it does not end."""
    found: list[dg.RunRequest] = []
    for requests in waves(house, instance, day):
        for request in requests:
            run(request, instance)
        found += requests
        assert len(found) < 60, "the night does not end"
    return found


def asked_for(house: Lakehouse, request: dg.RunRequest) -> set[tuple[TableName, Partition]]:
    """What a run covers; for runs of one tenant."""
    first, last = partition_of(request.tags[RANGE_START]), partition_of(request.tags[RANGE_END])
    assert first.tenant_id == last.tenant_id
    names = [name for name in house.tables if asset_key(name) in (request.asset_selection or ())]
    return {(name, Partition(first.tenant_id, day)) for name in names for day in days(first.date, last.date)}


def test_the_schedules_close_the_day_for_every_tenant_in_one_run_each(
    built: Lakehouse, instance: dg.DagsterInstance
) -> None:
    nights = {schedule.name: schedule.cron_schedule for schedule in schedules()}
    assert nights["bronze_to_silver_daily"] == "0 2 * * *"
    assert nights["silver_to_gold_daily"] == "0 3 * * *"
    requests = close(built, instance, DAY)
    assert [request.tags[RANGE_START] for request in requests] == [f"{DAY}|acme"] * 2
    assert [request.tags[RANGE_END] for request in requests] == [f"{DAY}|globex"] * 2
    assert make_plan(built, list(built.tables), None, DAY, DAY).is_empty
    features = pl.read_delta(built.lake.uri(FEATURES)).filter(pl.col("date") == DAY)
    assert sorted(features["tenant_id"].unique()) == ["acme", "globex"]


def test_a_night_brings_everything_up_to_date_where_no_landing_sensor_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    """On a new lake, and after a late row of one tenant, which affects days before the one that is closed."""
    landing = tmp_path / "landing"
    land_three_days(landing)
    house = house_in(monkeypatch, landing, tmp_path / "lake")
    tables = list(house.tables)
    close(house, instance, LAST)
    assert make_plan(house, tables, None, LAST, LAST).is_empty

    land_late_row(landing)
    close(house, instance, DAY)
    assert make_plan(house, tables, None, DAY, DAY).is_empty
    counted = pl.read_delta(house.lake.uri(CHANNELS)).filter(date=DAY, tenant_id="acme", channel="meeting")
    assert counted["interactions"].to_list() == [1]


def test_a_night_asks_for_nothing_that_its_plan_does_not_want(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    """States that are built anew read bronze of long ago, and neither what lies between nor what was dropped."""
    landing = tmp_path / "landing"
    for day in (OLD, LAST):
        land(landing, "acme", "customers", day, "c.csv", [{"customer_id": f"c{day.year}"}])
    house = house_in(monkeypatch, landing, tmp_path / "lake")
    tables = [name for name in house.tables if name.domain == "crm"]
    for day in (OLD, LAST):
        assert backfill(house, tables, None, day, day, instance=instance).is_complete
    drop(house, due(house, keep=parse_keep(["bronze=40d", "silver=40d", "gold=40d"]), today=DAY))
    dropped = house.ledger.read().filter(DROPPED).height
    assert dropped > 10
    # As a change of its contract leaves it.
    other = pl.lit("other").alias("code_version")
    house.ledger.rewrite([("acme", CUSTOMERS)], lambda held: held.with_columns(other))
    plan = make_plan(house, list(house.tables), None, LAST, LAST)
    wanted = {(name, partition) for name, found in plan.build.items() for partition in found}
    brought_back = {partition for _, partition in wanted if partition.date == OLD}
    assert brought_back == {Partition("acme", OLD)}

    requests = close(house, instance, LAST)

    assert set().union(*(asked_for(house, request) for request in requests)) == wanted
    assert make_plan(house, list(house.tables), None, LAST, LAST).is_empty
    assert house.ledger.read().filter(DROPPED).height == dropped - 1
    rows = pl.read_delta(house.lake.uri(CUSTOMERS)).filter(date=LAST)
    assert sorted(rows["customer_id"]) == ["c2025", "c2026"]


def test_a_partition_that_is_refused_holds_up_what_reads_it_and_no_other_tenant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    landing = tmp_path / "landing"
    land_three_days(landing)
    land_faulty_rows(landing, 60)
    house = house_in(monkeypatch, landing, tmp_path / "lake")
    close(house, instance, LAST)
    plan = make_plan(house, list(house.tables), None, LAST, LAST)
    assert {partition.tenant_id for found in plan.build.values() for partition in found} == {"acme"}
    assert plan.build[INTERACTIONS] == {Partition("acme", LAST)}
    assert not plan.build[CUSTOMERS]


def test_the_sensor_of_the_nights_is_quiet_where_none_has_begun(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert evaluate_nights(open_house(), instance, None) == ([], "{}")
    (sensor,) = (found for found in sensors() if found.name == "nights")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    told = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    assert (told.run_requests, told.skip_message) == ([], "no night waits for anything")
