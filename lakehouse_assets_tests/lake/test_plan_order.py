"""The order of a plan: which tables one run can build, and what must wait when something fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.plan import BuildPlan, Group, without_blocked
from lakehouse_assets_tests.lake.toy import (
    B_GAUGES,
    B_READINGS,
    LEVELS,
    PEAK,
    S_GAUGES,
    S_READINGS,
    TABLES,
    cells,
    day,
    house_at,
    numbers,
    told,
)


def test_neighbours_that_need_the_same_partitions_are_one_group() -> None:
    first, second = set(cells("acme", day(1))), set(cells("acme", day(1), day(2)))
    build = {B_GAUGES: first, B_READINGS: set(), S_GAUGES: first, S_READINGS: second, LEVELS: second, PEAK: first}
    groups = BuildPlan(build={name: set(found) for name, found in build.items()}).groups()
    assert [found for group in groups for found in group.tables] == [B_GAUGES, S_GAUGES, S_READINGS, LEVELS, PEAK]
    assert {name: set(group.partitions) for group in groups for name in group.tables} == {
        name: found for name, found in build.items() if found
    }
    assert Group((B_GAUGES, S_GAUGES), frozenset(first)) in groups


@pytest.mark.parametrize(
    ("failed", "blocked"),
    [
        pytest.param(
            {B_GAUGES: [3]},
            {B_GAUGES: [3]} | {name: [3, 4] for name in (S_GAUGES, S_READINGS, LEVELS, PEAK)},
            id="a landing blocks all later states",
        ),
        pytest.param(
            {S_GAUGES: [2]},
            {S_GAUGES: [2], S_READINGS: [2], LEVELS: [2, 3, 4], PEAK: [2, 3, 4]},
            id="a state blocks its date, and the readings of that",
        ),
        pytest.param(
            {B_READINGS: [3]},
            {B_READINGS: [3]} | {name: [1, 2, 3, 4] for name in (S_READINGS, LEVELS, PEAK)},
            id="a landing may hold readings of any earlier date, and of the next",
        ),
        pytest.param({S_READINGS: [2]}, {S_READINGS: [2], LEVELS: [2, 3, 4], PEAK: [2, 3, 4]}, id="a window"),
        pytest.param({LEVELS: [4]}, {LEVELS: [4], PEAK: [4]}, id="the same date"),
        pytest.param({PEAK: [1]}, {PEAK: [1]}, id="nothing reads it"),
    ],
)
def test_what_reads_a_failed_partition_is_blocked_and_nothing_else(
    tmp_path: Path, failed: dict[TableName, list[int]], blocked: dict[TableName, list[int]]
) -> None:
    everything = {
        name: {Partition(tenant, day(n)) for n in (1, 2, 3, 4) for tenant in ("acme", "globex")} for name in TABLES
    }
    lost = {name: cells("acme", *map(day, days)) for name, days in failed.items()}
    left = without_blocked(house_at(tmp_path), everything, lost)
    assert told({name: everything[name] - left[name] for name in TABLES}) == blocked
    assert all(numbers(left[name], "globex") == [1, 2, 3, 4] for name in TABLES)


def test_nothing_is_blocked_where_nothing_failed(tmp_path: Path) -> None:
    build = {LEVELS: set(cells("acme", day(1)))}
    assert told(without_blocked(house_at(tmp_path), build, {})) == {LEVELS: [1]}
