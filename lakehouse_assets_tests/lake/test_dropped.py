"""Partitions that retention dropped stay away until they are asked for, or something kept must be built from them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import DAY
from lakehouse_assets.lake.plan import BuildPlan, make_plan, plan_of_landings
from lakehouse_assets.lake.retention import drop, due
from lakehouse_assets_tests.lake.small_lake import (
    BRONZE_CUSTOMERS,
    BRONZE_INTERACTIONS,
    CHANNELS,
    CUSTOMERS,
    INTERACTIONS,
    OLD,
    TABLES,
    TODAY,
    YEARS_LATER,
    build_spans,
    built_lake,
    carry_out,
    dates,
    land,
    rows,
)

TENANTS = ["acme", "globex"]


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    house = built_lake(tmp_path)
    drop(house, due(house, today=TODAY))
    return house


def _changed(house: Lakehouse, *names: TableName) -> Lakehouse:
    """The lakehouse after a change of these tables' code."""
    changed = {name: replace(house.table(name), code_version="changed") for name in names}
    return replace(house, tables={**house.tables, **changed})


def _days(plan: BuildPlan, name: TableName) -> list[dt.date]:
    return sorted(partition.date for partition in plan.build[name] if partition.tenant_id == "acme")


def test_a_new_day_is_built_without_what_was_dropped(house: Lakehouse) -> None:
    land(house, f"acme/crm/customers/{TODAY}/d.csv", "customer_id,employee_count\nc2,21\nc3,31\n")
    plan = plan_of_landings(house, TENANTS)
    assert min(day for name in TABLES for day in _days(plan, name)) == TODAY
    carry_out(house, plan)
    today = rows(house, CUSTOMERS).filter(pl.col("date") == TODAY, pl.col("tenant_id") == "acme")
    # c3's delete is years old and has no version to outrank: whatever lands later is newer.
    assert today.select("customer_id", "employee_count").sort("customer_id").rows() == [
        ("c1", 11),
        ("c2", 21),
        ("c3", 31),
    ]


def test_a_change_of_code_builds_what_is_kept_and_what_that_reads(house: Lakehouse, tmp_path: Path) -> None:
    # Gold is kept for 7 years and its silver for 5: to build the old gold anew, silver and bronze come back.
    changed = _changed(house, CHANNELS)
    plan = plan_of_landings(changed, TENANTS)
    assert OLD in _days(plan, CHANNELS)
    assert OLD in _days(plan, INTERACTIONS)
    assert OLD in _days(plan, BRONZE_INTERACTIONS)
    before = rows(house, CHANNELS)
    carry_out(changed, plan)
    assert_frame_equal(rows(changed, CHANNELS), before)


def test_a_change_of_code_does_not_bring_dropped_partitions_of_its_own_back(house: Lakehouse) -> None:
    plan = plan_of_landings(_changed(house, INTERACTIONS), TENANTS)
    assert not any(partition.date < YEARS_LATER for partition in plan.stale_downstream[INTERACTIONS])
    assert OLD not in _days(plan, INTERACTIONS) or OLD in _days(plan, CHANNELS)


def test_states_are_right_when_all_of_them_are_built_anew(house: Lakehouse) -> None:
    before = rows(house, CUSTOMERS)
    changed = _changed(house, CUSTOMERS)
    plan = plan_of_landings(changed, TENANTS)
    assert OLD in _days(plan, BRONZE_CUSTOMERS), "no state of this code is there, so it starts from all that landed"
    carry_out(changed, plan)
    kept = rows(changed, CUSTOMERS).filter(pl.col("date").is_in(before["date"].implode()))
    assert_frame_equal(kept, before)


def test_asking_for_them_brings_them_back_as_they_were(house: Lakehouse, tmp_path: Path) -> None:
    never_dropped = built_lake(tmp_path / "other")
    assert OLD not in dates(house, INTERACTIONS)
    carry_out(house, make_plan(house, list(house.tables), None, OLD, OLD + 2 * DAY, rebuild=True))
    carry_out(house, make_plan(house, list(house.tables), None, YEARS_LATER, YEARS_LATER, rebuild=True))
    for name in TABLES:
        for stored in (name, name.quarantine):
            assert_frame_equal(rows(house, stored), rows(never_dropped, stored))


def test_a_late_file_for_a_dropped_date_reaches_the_states_that_are_kept(house: Lakehouse) -> None:
    land(house, f"acme/crm/customers/{OLD + 2 * DAY}/late.csv", "customer_id,employee_count\nc5,50\n")
    carry_out(house, plan_of_landings(house, TENANTS))
    build_spans(house)
    kept = rows(house, CUSTOMERS).filter(pl.col("date") == TODAY, pl.col("tenant_id") == "acme")
    assert kept["customer_id"].to_list() == ["c1", "c2", "c5"]
