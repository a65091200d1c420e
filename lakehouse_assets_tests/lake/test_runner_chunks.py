"""A step in chunks: how it is cut, and what happens to the rest when a part of it fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.lake.chunks import COLUMN_BYTES, MOST_DATES, chunks
from lakehouse_assets.lake.errors import StorageError
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets_tests.lake import toy
from lakehouse_assets_tests.lake.toy import (
    B_GAUGES,
    B_READINGS,
    GAUGES,
    READINGS,
    S_GAUGES,
    S_READINGS,
    TABLES,
    build_tables,
    cells,
    day,
    gauge,
    house_at,
    land,
    live_files,
    reading,
    rows_of,
    settle_plan,
)


def story(root: Path, dates: int) -> Lakehouse:
    for number in range(1, dates + 1):
        land(root, "acme", READINGS, day(number), "a.csv", [reading(number, day(number))])
    return house_at(root)


def test_a_failing_chunk_leaves_the_others_written(tmp_path: Path) -> None:
    house = story(tmp_path, 4)
    build_tables(house, [B_READINGS], cells("acme", *map(day, (1, 2, 3, 4))))
    victim = next(iter(live_files(house, B_READINGS)[Partition("acme", day(3))]))
    (tmp_path / "lake" / B_READINGS.path / victim).unlink()
    report = build(replace(house, chunk_bytes=1), S_READINGS, cells("acme", *map(day, (1, 2, 3, 4))), "run")
    assert set(report.failed) == set(cells("acme", day(3)))
    assert rows_of(house, S_READINGS)["date"].to_list() == [day(1), day(2), day(4)]
    assert house.ledger.read(tables=[S_READINGS])["date"].to_list() == [day(1), day(2), day(4)]
    assert {p.date for p in report.written} == {day(1), day(2), day(4)}


def test_a_failing_tenant_leaves_the_others_written(tmp_path: Path) -> None:
    for tenant in ("acme", "globex", "zeta"):
        land(tmp_path, tenant, READINGS, day(1), "a.csv", [reading(1, day(1))])
    house = house_at(tmp_path)
    everyone = [Partition(tenant, day(1)) for tenant in ("acme", "globex", "zeta")]
    build_tables(house, [B_READINGS], everyone)
    for file in live_files(house, B_READINGS)[Partition("globex", day(1))]:
        (tmp_path / "lake" / B_READINGS.path / file).unlink()
    report = build(house, S_READINGS, everyone, "run")
    assert set(report.failed) == {Partition("globex", day(1))}
    assert sorted(rows_of(house, S_READINGS)["tenant_id"]) == ["acme", "zeta"]


def land_first(root: Path) -> None:
    land(root, "acme", READINGS, day(1), "a.csv", [reading(1, day(1)), reading(2, day(1), level=-99)])


def land_second(root: Path) -> None:
    land(root, "acme", READINGS, day(1), "b.csv", [reading(3, day(1), gauge=2), reading(4, day(1), level=-98)])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """What a lake holds that no one has killed."""
    root = tmp_path_factory.mktemp("undisturbed")
    land_first(root)
    land_second(root)
    settle_plan(house_at(root), day(1), day(1))
    return toy.contents(house_at(root))


@pytest.mark.parametrize("after", range(4))
def test_a_step_that_dies_at_any_commit_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, pl.DataFrame], after: int
) -> None:
    """Quarantine, table, file register, ledger: whichever is the first not to be written."""
    land_first(tmp_path)
    house = house_at(tmp_path)
    build_tables(house, [B_READINGS, S_READINGS], cells("acme", day(1)))
    land_second(tmp_path)
    commit_on, left = Lake.commit_on, after

    def failing(self: Lake, *arguments: Any) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise StorageError("the disk is full")
        return commit_on(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "commit_on", failing)
        reports = [build(house, name, cells("acme", day(1)), "dies") for name in (B_READINGS, S_READINGS)]
    assert any("the disk is full" in why for report in reports for why in report.failed.values())
    settle_plan(house, day(1), day(1))
    found = toy.contents(house)
    assert found.keys() == undisturbed.keys()
    assert all(found[name].equals(undisturbed[name]) for name in found)


@settings(max_examples=40)
@given(
    st.sets(st.builds(Partition, st.sampled_from(["acme", "globex"]), st.integers(1, 15).map(day))),
    st.integers(1, 500),
)
def test_chunks_cover_what_was_asked_for_once_each_in_order(
    weighed: Lakehouse, asked: set[Partition], at_most: int
) -> None:
    found = list(chunks(replace(weighed, chunk_bytes=at_most), TABLES[B_READINGS], asked))
    covered = [Partition(window.tenant_id, on) for window in found for on in window.dates()]
    assert covered == sorted(asked)
    for window in found:
        weight = sum(SIZES.get(Partition(window.tenant_id, on), 0) for on in window.dates())
        assert weight <= at_most or window.first == window.last, "a date is never split"


SIZES: dict[Partition, int] = {}


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    """Landed files of known sizes, on some of the dates."""
    root = tmp_path_factory.mktemp("weighed")
    for tenant, number in (
        ("acme", 1),
        ("acme", 2),
        ("acme", 5),
        ("acme", 6),
        ("acme", 7),
        ("globex", 2),
        ("globex", 3),
    ):
        path = land(root, tenant, READINGS, day(number), "a.csv", [reading(n, day(1)) for n in range(number)])
        SIZES[Partition(tenant, day(number))] = path.stat().st_size
    return house_at(root)


def test_a_chunk_has_no_more_dates_than_a_write_can_have_open(tmp_path: Path) -> None:
    house = house_at(tmp_path)
    asked = cells("acme", *(day(number) for number in range(1, 2 * MOST_DATES + 2)))
    lengths = [len(window.dates()) for window in chunks(house, TABLES[B_READINGS], asked)]
    assert lengths == [MOST_DATES, MOST_DATES, 1]


def test_states_weigh_what_all_landings_up_to_them_do(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        land(tmp_path, "acme", GAUGES, day(number), "a.csv", [gauge(n + 1000 * number) for n in range(1000)])
    house = house_at(tmp_path)
    build_tables(house, [B_GAUGES], cells("acme", *map(day, (1, 2, 3))))
    size = house.lake.files(B_GAUGES)["size_bytes"].max()
    assert isinstance(size, int)
    values = size - COLUMN_BYTES * len(house.table(B_GAUGES).schema)
    assert values > 0
    bounded = replace(house, chunk_bytes=4 * values * 3 + 100)
    windows = list(chunks(bounded, TABLES[S_GAUGES], cells("acme", *map(day, (1, 2, 3)))))
    assert [len(window.dates()) for window in windows] == [2, 1]


def test_rows_are_the_same_however_the_step_is_cut(tmp_path: Path) -> None:
    for root in (tmp_path / "one", tmp_path / "many"):
        for number in (1, 3):
            land(root, "acme", GAUGES, day(number), "a.csv", [gauge(number), gauge(1, f"owner {number}")])
            land(
                root,
                "acme",
                READINGS,
                day(number),
                "a.csv",
                [reading(number, day(number)), reading(9, day(1), gauge=9)],
            )
    one, many = house_at(tmp_path / "one"), house_at(tmp_path / "many", chunk_bytes=1)
    for house in (one, many):
        settle_plan(house, day(1), day(3))
    left, right = toy.contents(one), toy.contents(many)
    assert left.keys() == right.keys()
    assert all(left[name].equals(right[name]) for name in left)
