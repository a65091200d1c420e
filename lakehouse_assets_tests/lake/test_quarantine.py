"""Quarantined rows are counted and found by any of their marks, and a replay knows exactly what it must build."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.partitions import DAY, Partition
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.quarantine import Wanted, counts, partitions_of, quarantined_rows, readers_of, reread
from lakehouse_assets_tests.lake.small_lake import (
    BRONZE_CUSTOMERS,
    BRONZE_INTERACTIONS,
    CHANNELS,
    CUSTOMERS,
    INTERACTIONS,
    LEADS,
    NOW,
    OLD,
    TODAY,
    YEARS_LATER,
    built_lake,
    carry_out,
    live_files,
)

ALL = [
    (str(BRONZE_INTERACTIONS), OLD, "short_row", None),
    (str(CUSTOMERS), NOW, "is_negative", "employee_count"),
    (str(INTERACTIONS), OLD, "unparsable", "duration_minutes"),
    (str(INTERACTIONS), NOW, "unparsable", "interaction_at"),
    (str(LEADS), OLD, "unparsable", "created_date"),
]


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    return built_lake(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), ALL),
        (Wanted(tables=[INTERACTIONS]), ALL[2:4]),
        (Wanted(tenants=["globex"]), []),
        (Wanted(first=YEARS_LATER), [ALL[1], ALL[3]]),
        (Wanted(last=OLD), [ALL[0], ALL[2], ALL[4]]),
        (Wanted(rule="unparsable", first=NOW), [ALL[3]]),
        (Wanted(tables=[], rule="unparsable"), []),
    ],
    ids=str,
)
def test_rows_are_counted_by_table_date_rule_and_column(
    house: Lakehouse, wanted: Wanted, expected: list[object]
) -> None:
    counted = counts(house, wanted)
    assert counted.select("table", "date", "rule", "column").rows() == expected
    assert counted["rows"].to_list() == [1] * len(expected)
    assert set(counted["tenant_id"]) <= {"acme"}


def test_a_row_leads_back_to_its_file_and_its_values(house: Lakehouse) -> None:
    row = quarantined_rows(house, Wanted(tables=[CUSTOMERS])).collect().row(0, named=True)
    assert (row["_source_file"], row["_row_number"]) == (f"acme/crm/customers/{NOW}/c.csv", 2)
    assert row["reasons"] == ["employee_count: is_negative"]
    assert '"employee_count":"-4"' in row["raw"]


def test_a_replay_takes_the_partitions_of_the_rows_and_no_others(house: Lakehouse) -> None:
    found = partitions_of(house, Wanted(rule="unparsable"))
    assert found == {
        INTERACTIONS: {Partition("acme", OLD), Partition("acme", NOW)},
        LEADS: {Partition("acme", OLD)},
    }
    order = list(house.tables)
    assert sorted(found, key=order.index) == list(found)


def test_files_are_read_again_only_after_they_were_asked_for(house: Lakehouse) -> None:
    before = live_files(house, BRONZE_INTERACTIONS)
    reread(house, BRONZE_INTERACTIONS, [Partition("acme", OLD)])
    plan = make_plan(house, [BRONZE_INTERACTIONS], None, OLD, NOW)
    assert {name: found for name, found in plan.build.items() if found} == {
        BRONZE_INTERACTIONS: {Partition("acme", OLD), *_never_built()}
    }
    carry_out(house, make_plan(house, [BRONZE_INTERACTIONS], None, OLD, OLD))
    after = live_files(house, BRONZE_INTERACTIONS)
    assert {partition for partition in before if before[partition] != after[partition]} == {Partition("acme", OLD)}


def _never_built() -> set[Partition]:
    spans = {OLD, OLD + DAY, OLD + 2 * DAY, YEARS_LATER, NOW - DAY, NOW}
    every = {OLD + DAY * offset for offset in range((NOW - OLD).days + 1)}
    return {Partition(tenant, day) for tenant in ("acme", "globex") for day in every - spans}


def test_what_reads_a_bronze_partition_is_found_through_all_layers(house: Lakehouse) -> None:
    found = readers_of(house, BRONZE_CUSTOMERS, {Partition("acme", YEARS_LATER)})
    # A state holds what landed before it: later states, and what reads them, follow from it. Earlier ones do not.
    assert set(found) >= {CUSTOMERS, CHANNELS}
    assert {partition.date for partition in found[CUSTOMERS]} == {YEARS_LATER, NOW - DAY, NOW, TODAY}
    assert {partition.tenant_id for partitions in found.values() for partition in partitions} == {"acme"}
