"""A plan names what a landing affects and nothing else, in an order in which it can be built."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.plan import BuildPlan, make_plan, plan_of_landings
from lakehouse_assets_tests.lake import toy
from lakehouse_assets_tests.lake.toy import (
    B_GAUGES,
    B_READINGS,
    GAUGES,
    LEVELS,
    MEMORY,
    PEAK,
    READINGS,
    S_GAUGES,
    S_READINGS,
    START,
    TABLES,
    cells,
    day,
    gauge,
    house_at,
    land,
    numbers,
    reading,
    settle_plan,
    told,
)

LAST = 6
BUILT = [day(number) for number in range(1, LAST + 1)]


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tenants, all tables built for six days."""
    root = tmp_path_factory.mktemp("story")
    land(root, "acme", GAUGES, day(1), "gauges.csv", [gauge(1), gauge(2)])
    land(root, "acme", GAUGES, day(4), "gauges.csv", [gauge(1, "Bob", at="2025-01-04T00:00:00Z"), gauge(3)])
    for number in (1, 2, 3):
        rows = [reading(10 * number, day(number), level=number), reading(10 * number + 1, day(number), gauge=2)]
        land(root, "acme", READINGS, day(number), "readings.csv", rows)
    land(root, "globex", GAUGES, day(1), "gauges.csv", [gauge(9)])
    settle_plan(house_at(root), day(1), day(LAST), ("acme", "globex"))
    return root


@pytest.fixture
def root(built_once: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(built_once, tmp_path / "story"))


def plan(
    house: Lakehouse,
    *names: TableName,
    first: int = 1,
    last: int = LAST,
    only_registered: bool = False,
    rebuild: bool = False,
) -> BuildPlan:
    chosen = names or tuple(house.tables)
    return make_plan(house, chosen, None, day(first), day(last), only_registered=only_registered, rebuild=rebuild)


def land_late(root: Path) -> None:
    """A reading of the second day that lands on the sixth."""
    land(root, "acme", READINGS, day(6), "late.csv", [reading(99, day(2), level=50)])


LATE = {B_READINGS: [6], S_READINGS: [2], LEVELS: [2, 3, 4], PEAK: [2, 3, 4]}


def test_what_is_built_needs_nothing(root: Path) -> None:
    found = plan(house_at(root))
    assert found.is_empty
    assert (found.size, found.groups(), found.new_files, found.refused) == (0, [], [], [])
    assert not any(found.stale_downstream.values())


def test_a_plan_writes_nothing(root: Path) -> None:
    land_late(root)
    before = sorted((root / "lake").rglob("*"))
    plan(house_at(root))
    assert sorted((root / "lake").rglob("*")) == before


def test_a_late_row_affects_its_date_and_what_reads_that(root: Path) -> None:
    land_late(root)
    found = plan(house_at(root))
    assert told(found.build) == LATE
    assert told(found.build, "globex") == {}
    assert [file.path for file in found.new_files] == [f"acme/lake/readings/{day(6)}/late.csv"]


def test_where_files_are_not_read_bronze_alone_is_known_to_be_stale(root: Path) -> None:
    land_late(root)
    assert told(plan(house_at(root), only_registered=True).build) == {B_READINGS: [6]}


def test_dates_that_were_not_asked_for_are_told_as_stale(root: Path) -> None:
    land_late(root)
    found = plan(house_at(root), first=3, last=3)
    assert told(found.build) == {B_READINGS: [6], S_READINGS: [2], LEVELS: [3], PEAK: [3]}
    assert told(found.stale_downstream) == {LEVELS: [2, 4], PEAK: [2, 4]}


def test_tables_that_were_not_asked_for_are_told_as_stale(root: Path) -> None:
    land_late(root)
    found = plan(house_at(root), B_READINGS)
    assert told(found.build) == {B_READINGS: [6]}
    assert told(found.stale_downstream) == {name: days for name, days in LATE.items() if name != B_READINGS}


def take_away(root: Path) -> None:
    (root / "landing" / "acme" / "lake" / "readings" / day(2).isoformat() / "readings.csv").unlink()


def correct_and_take_away(root: Path) -> None:
    take_away(root)
    land(root, "acme", READINGS, day(3), "readings.csv", [reading(30, day(3), level=33), reading(31, day(3), gauge=2)])


def delete_a_gauge(root: Path) -> None:
    """And land an older version of another, which changes nothing."""
    rows = [gauge(2, operation="delete"), gauge(1, "Eve", at="2025-01-02T00:00:00Z")]
    land(root, "acme", GAUGES, day(5), "deleted.csv", rows)


def land_a_gauge_late(root: Path) -> None:
    land(root, "acme", GAUGES, day(2), "b.csv", [gauge(4, "Zoe")])


@pytest.mark.parametrize(
    "change",
    [land_late, correct_and_take_away, delete_a_gauge, land_a_gauge_late],
    ids=lambda f: f.__name__,
)
def test_all_that_a_landing_changes_is_in_the_plan(root: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Whatever differs from a lake that is built anew is planned, and once the plan is carried out nothing differs."""
    change(root)
    house, afresh = house_at(root), house_at(tmp_path / "afresh")
    shutil.copytree(root / "landing", tmp_path / "afresh" / "landing", dirs_exist_ok=True)
    settle_plan(afresh, day(1), day(LAST))
    planned, differing = plan(house).build, differences(house, afresh)
    assert differing, "the change is one"
    for name in TABLES:
        assert differing.get(name, set()) <= {on for tenant, on in planned[name] if tenant == "acme"}, name
        assert not numbers(planned[name], "globex"), name
    settle_plan(house, day(1), day(LAST))
    assert differences(house, afresh) == {}
    entries = [toy.rows_of(one, one.ledger.name, tenant="acme") for one in (house, afresh)]
    assert entries[0].equals(entries[1])


def differences(one: Lakehouse, other: Lakehouse) -> dict[TableName, set[date]]:
    """The dates of each table on which two lakes hold other rows of a tenant."""
    found: dict[TableName, set[date]] = {}
    for name in TABLES:
        left, right = (toy.rows_of(house, name, tenant="acme") for house in (one, other))
        for on in BUILT:
            if not left.filter(pl.col("date") == on).equals(right.filter(pl.col("date") == on)):
                found.setdefault(name, set()).add(on)
    return found


def test_changed_code_makes_its_table_stale_and_what_reads_it(root: Path) -> None:
    changed = toy.with_function(LEVELS, toy.gold_levels)
    found = plan(house_at(root, tables=changed))
    assert told(found.build) == {LEVELS: [1, 2, 3, 4, 5, 6], PEAK: [1, 2, 3, 4, 5, 6]}
    assert told(found.build, "globex") == told(found.build)
    assert plan(house_at(root, tables=changed), MEMORY).is_empty, "it reads no levels"


def test_changed_code_of_bronze_makes_all_that_follows_stale(root: Path) -> None:
    changed = {**TABLES, B_GAUGES: toy.with_function(B_GAUGES, None)[B_GAUGES]}
    found = told(plan(house_at(root, tables=changed)).build)
    assert found[B_GAUGES] == [1, 2, 3, 4, 5, 6]
    assert found[S_GAUGES] == found[LEVELS] == [1, 2, 3, 4, 5, 6]
    assert B_READINGS not in found
    assert found[S_READINGS] == [1, 2, 3], "they look gauges up"


def test_what_an_asked_for_table_reads_comes_first(tmp_path: Path) -> None:
    land(tmp_path, "acme", GAUGES, day(1), "a.csv", [gauge(1)])
    land(tmp_path, "acme", READINGS, day(3), "a.csv", [reading(1, day(2)), reading(2, day(3))])
    found = plan(house_at(tmp_path), PEAK, first=3, last=3)
    assert told(found.build) == {
        B_GAUGES: [1],
        S_GAUGES: [2, 3],
        B_READINGS: [3],
        S_READINGS: [2, 3],
        LEVELS: [3],
        PEAK: [3],
    }
    assert list(found.build) == list(TABLES)


def test_upstream_partitions_that_nothing_could_be_in_are_not_required(tmp_path: Path) -> None:
    land(tmp_path, "acme", GAUGES, day(1), "a.csv", [gauge(1)])
    found = plan(house_at(tmp_path), LEVELS, first=3, last=3)
    assert told(found.build) == {B_GAUGES: [1], S_GAUGES: [3], LEVELS: [3]}


def test_an_upstream_partition_that_was_built_and_lost_its_file_is_required(root: Path) -> None:
    take_away(root)
    assert told(plan(house_at(root), LEVELS, first=4, last=4).build) == {B_READINGS: [2], S_READINGS: [2], LEVELS: [4]}


def test_readings_of_tomorrow_are_found_in_what_landed_today(tmp_path: Path) -> None:
    land(tmp_path, "acme", READINGS, day(2), "a.csv", [reading(1, day(3))])
    assert told(plan(house_at(tmp_path), S_READINGS, first=3, last=3).build) == {B_READINGS: [2], S_READINGS: [3]}


def test_dates_without_anything_between_required_ones_go_along(tmp_path: Path) -> None:
    """So that one run covers the stretch; none goes along before the first or after the last."""
    land(tmp_path, "acme", READINGS, day(4), "a.csv", [reading(1, day(2)), reading(2, day(4))])
    found = plan(house_at(tmp_path), LEVELS, first=4, last=5)
    assert told(found.build) == {B_READINGS: [4], S_READINGS: [2, 3, 4], LEVELS: [4, 5]}


def test_a_built_partition_is_no_gap(tmp_path: Path) -> None:
    house = house_at(tmp_path)
    toy.build_tables(house, [S_READINGS], cells("acme", day(3)))
    land(tmp_path, "acme", READINGS, day(4), "a.csv", [reading(1, day(2)), reading(2, day(4))])
    assert told(plan(house, LEVELS, first=4, last=4).build)[S_READINGS] == [2, 4]


def test_a_rebuild_asks_for_what_is_named_and_not_for_what_it_reads(root: Path) -> None:
    found = plan(house_at(root), LEVELS, first=2, last=3, rebuild=True)
    assert told(found.build) == {LEVELS: [2, 3]}
    assert not any(found.stale_downstream.values())


def test_only_tenants_that_were_asked_for_are_planned(root: Path) -> None:
    for tenant in ("acme", "globex"):
        land(root, tenant, GAUGES, day(6), "new.csv", [gauge(7)])
    found = make_plan(house_at(root), list(TABLES), ["globex"], day(1), day(LAST))
    assert told(found.build) == {}
    assert told(found.build, "globex")[S_GAUGES] == [6]


def test_dates_that_are_no_partition_are_not_planned_and_their_files_are_told(root: Path) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    outside = (START - timedelta(days=1), tomorrow + timedelta(days=2))
    for on in outside:
        land(root, "acme", GAUGES, on, "a.csv", [gauge(1)])
    house = house_at(root)
    found = plan(house)
    assert found.is_empty
    assert [path for path, _ in found.refused] == [f"acme/lake/gauges/{on}/a.csv" for on in outside]
    assert plan_of_landings(house, ["acme"]).is_empty
    assert make_plan(house, [B_GAUGES], ["acme"], tomorrow + timedelta(days=1), tomorrow + timedelta(days=9)).is_empty


def test_all_that_landed_is_due_where_it_landed_and_where_it_happened(tmp_path: Path) -> None:
    land(tmp_path, "acme", GAUGES, day(2), "a.csv", [gauge(1)])
    land(tmp_path, "acme", READINGS, day(5), "a.csv", [reading(1, day(3))])
    house = house_at(tmp_path)
    found = told(plan_of_landings(house, ["acme"]).build)
    assert found.pop(S_GAUGES) == found.pop(S_READINGS) == [2, 3, 5], "readings of the third day look gauges up"
    assert found == {name: [2, 5] for name in (B_GAUGES, B_READINGS, LEVELS, PEAK, MEMORY)}
    while not (due := plan_of_landings(house, ["acme"])).is_empty:
        for name, partitions in due.build.items():
            toy.build_tables(house, [name], sorted(partitions))
    assert toy.rows_of(house, S_READINGS, on=day(3)).height == 1


def test_a_late_row_is_due_wherever_it_is_read(root: Path) -> None:
    land_late(root)
    assert told(plan_of_landings(house_at(root), ["acme"]).build) == LATE


def test_a_plan_reads_neither_rows_nor_files_of_what_is_built(root: Path) -> None:
    """Its cost is that of the ledger, the file register and one listing."""
    for path in [*(root / "lake" / "lake").rglob("*.parquet"), *(root / "landing").rglob("*.csv")]:
        moments = path.stat()
        path.write_bytes(b"\0" * moments.st_size)
        os.utime(path, ns=(moments.st_atime_ns, moments.st_mtime_ns))
    assert plan(house_at(root)).is_empty


def test_the_plan_of_a_new_day_is_that_day(root: Path) -> None:
    land(root, "acme", READINGS, day(7), "readings.csv", [reading(70, day(7))])
    land(root, "acme", GAUGES, day(7), "gauges.csv", [gauge(8)])
    found = plan(house_at(root), last=7)
    assert {name: days for name, days in told(found.build).items() if days != [7]} == {}
    assert set(told(found.build)) == set(TABLES)
    (group,) = [group for group in found.groups() if any(p.tenant_id == "acme" for p in group.partitions)]
    assert group.tables == tuple(TABLES), "one run"
    assert group.partitions == {Partition(tenant, day(7)) for tenant in ("acme", "globex")}
