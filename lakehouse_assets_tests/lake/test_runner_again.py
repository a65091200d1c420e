"""A step that is repeated, copied or looked up: the same rows, and commits that say what they were made from."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, Window
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.receipts import compare, from_receipts
from lakehouse_assets.lake.retention import DEFAULT_KEEP, Keep, drop, due
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.storage import RECEIPT
from lakehouse_assets_tests.lake import toy
from lakehouse_assets_tests.lake.toy import (
    B_GAUGES,
    B_READINGS,
    GAUGES,
    LEVELS,
    MEMORY,
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
    versions,
)


@pytest.fixture
def levels(tmp_path: Path) -> Path:
    """A lake in which the levels of three days are built."""
    land(tmp_path, "acme", GAUGES, day(1), "a.csv", [gauge(1), gauge(2)])
    settle_plan(house_at(tmp_path), day(1), day(3))
    return tmp_path


def test_a_step_that_is_repeated_gives_the_same_rows(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        land(tmp_path, "acme", READINGS, day(number), "a.csv", [reading(number, day(number))])
    house = house_at(tmp_path)
    settle_plan(house, day(1), day(3))
    before = toy.contents(house)
    for name in TABLES:
        build_tables(house, [name], cells("acme", *map(day, (1, 2, 3))))
    after = toy.contents(house)
    assert after.keys() == before.keys()
    assert all(after[name].equals(before[name]) for name in after)


def test_a_receipt_says_what_was_built_from_what(levels: Path) -> None:
    house = house_at(levels)
    build(house, LEVELS, cells("acme", day(2), day(3)), "run-7")
    opened = house.lake.open(LEVELS)
    assert opened is not None
    receipt = json.loads(opened.history(1)[0][RECEIPT])
    assert (receipt["run_id"], receipt["tenant_id"]) == ("run-7", "acme")
    assert receipt["code_version"] == TABLES[LEVELS].code_version
    assert set(receipt["inputs"]) == {str(S_GAUGES), str(S_READINGS)}
    assert receipt["inputs"][str(S_GAUGES)] == versions(house)[S_GAUGES]
    rows = [dict(zip(receipt["columns"], partition, strict=True)) for partition in receipt["partitions"]]
    assert [(row["date"], row["rows_in"], row["rows_written"]) for row in rows] == [
        ("2025-01-02", 2, 2),
        ("2025-01-03", 2, 2),
    ]


def test_the_ledger_is_what_the_receipts_say(tmp_path: Path) -> None:
    house = house_at(tmp_path)
    for number in (1, 2):
        land(
            tmp_path,
            "acme",
            READINGS,
            day(number),
            "a.csv",
            [reading(number, day(number)), reading(7, day(1), level="x")],
        )
        land(tmp_path, "globex", GAUGES, day(number), "a.csv", [gauge(number)])
        settle_plan(house, day(1), day(number), ("acme", "globex"))
    told = from_receipts(house)
    assert told.height == house.ledger.read().height > 0
    found = compare(house, told)
    assert found.is_empty
    assert found.unproven.is_empty()


def test_the_quarantine_version_in_a_receipt_holds_the_rows_set_aside(tmp_path: Path) -> None:
    land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1), level=-99), reading(2, day(1))])
    house = house_at(tmp_path)
    report = build_tables(house, [B_READINGS, S_READINGS], cells("acme", day(1)))[S_READINGS]
    (chunk,) = report.chunks
    place = house.lake.uri(S_READINGS.quarantine)
    assert pl.read_delta(place, version=chunk.quarantine_version).height == 1
    assert pl.read_delta(place, version=0).is_empty()


def test_a_quarantine_is_emptied_when_nothing_is_rejected_any_more(tmp_path: Path) -> None:
    path = land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1), level=-99)])
    house = house_at(tmp_path)
    settle_plan(house, day(1), day(1))
    assert rows_of(house, S_READINGS.quarantine).height == 1
    path.unlink()
    land(tmp_path, "acme", READINGS, day(1), "b.csv", [reading(1, day(1), level=9)])
    settle_plan(house, day(1), day(1))
    assert rows_of(house, S_READINGS.quarantine).is_empty()
    assert rows_of(house, S_READINGS)["level"].to_list() == [9.0]


def test_a_date_with_the_inputs_of_another_is_copied_and_not_computed(tmp_path: Path) -> None:
    land(tmp_path, "acme", GAUGES, day(1), "a.csv", [gauge(1), gauge(2)])
    settle_plan(house_at(tmp_path), day(1), day(36))
    house = house_at(tmp_path)
    counted = dict(rows_of(house, MEMORY).select("date", "gauges").iter_rows())
    assert [counted[day(n)] for n in (1, 35, 36)] == [0, 0, 2]

    def platinum_memory(silver_gauges: pl.LazyFrame, window: Window) -> pl.LazyFrame:
        return pl.LazyFrame({"date": window.dates(), "gauges": -1}, schema={"date": pl.Date, "gauges": pl.Int64})

    marked = house_at(
        tmp_path, tables=toy.with_function(MEMORY, platinum_memory, code_version=TABLES[MEMORY].code_version)
    )
    build_tables(house, [S_GAUGES], cells("acme", day(37)))
    build_tables(marked, [MEMORY], cells("acme", day(37)))
    assert rows_of(house, MEMORY, on=day(37))["gauges"].to_list() == [2]
    build_tables(marked, [MEMORY], cells("acme", day(36)))
    assert rows_of(house, MEMORY, on=day(36))["gauges"].to_list() == [-1], "asked for again, it is computed"
    newer = house_at(tmp_path, tables=toy.with_function(MEMORY, platinum_memory))
    build_tables(newer, [MEMORY], cells("acme", day(20)))
    assert rows_of(house, MEMORY, on=day(20))["gauges"].to_list() == [-1], "other code computes"


# Starting from a snapshot


def owners(house: Lakehouse, number: int) -> dict[str, str]:
    return dict(rows_of(house, S_GAUGES, on=day(number)).select("gauge_id", "owner").iter_rows())


def test_states_start_from_a_snapshot_that_the_ledger_vouches_for(tmp_path: Path) -> None:
    """What the snapshot holds is not read from bronze again."""
    for number in (1, 3):
        land(tmp_path, "acme", GAUGES, day(number), "a.csv", [gauge(number)])
    house = house_at(tmp_path)
    build_tables(house, [B_GAUGES, S_GAUGES], cells("acme", *map(day, (1, 2, 3))))
    for file in live_files(house, B_GAUGES)[Partition("acme", day(1))]:
        (tmp_path / "lake" / B_GAUGES.path / file).unlink()
    build_tables(house, [S_GAUGES], cells("acme", day(3), day(4)))
    assert owners(house, 4) == {"g1": "Ada", "g3": "Ada"}


@pytest.mark.parametrize("code", [None, "anew"], ids=["a late landing", "changed code"])
def test_a_stale_snapshot_is_no_base(tmp_path: Path, code: str | None) -> None:
    land(tmp_path, "acme", GAUGES, day(1), "a.csv", [gauge(1), gauge(2)])
    house = house_at(tmp_path)
    build_tables(house, [B_GAUGES, S_GAUGES], cells("acme", *map(day, (1, 2, 3))))
    if code is None:
        land(tmp_path, "acme", GAUGES, day(1), "b.csv", [gauge(2, "Bob")])
        build_tables(house, [B_GAUGES], cells("acme", day(1)))
    else:

        def silver_gauges(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
            renamed = pl.when(pl.col("gauge_id") == "g2").then(pl.lit("Bob")).otherwise("owner").alias("owner")
            return toy.silver_gauges(bronze_gauges).with_columns(renamed)

        house = house_at(tmp_path, tables=toy.with_function(S_GAUGES, silver_gauges, code_version=code))
    build_tables(house, [S_GAUGES], cells("acme", day(3)))
    assert owners(house, 3) == {"g1": "Ada", "g2": "Bob"}
    assert owners(house, 2) == {"g1": "Ada", "g2": "Ada"}, "not asked for"


def dropped(house: Lakehouse, name: TableName, today: date) -> None:
    """Let retention take the rows from before yesterday out."""
    drop(house, due(house, keep={**DEFAULT_KEEP, name.layer: Keep(1, "d")}, today=today, tables=[name]))


def test_a_snapshot_whose_rows_retention_dropped_is_no_base(tmp_path: Path) -> None:
    land(tmp_path, "acme", GAUGES, day(1), "a.csv", [gauge(1), gauge(2)])
    house = house_at(tmp_path)
    build_tables(house, [B_GAUGES, S_GAUGES], cells("acme", *map(day, (1, 2, 3))))
    dropped(house, S_GAUGES, day(3))
    assert rows_of(house, S_GAUGES, on=day(1)).is_empty()
    land(tmp_path, "acme", GAUGES, day(2), "late.csv", [gauge(3)])
    build_tables(house, [B_GAUGES, S_GAUGES], cells("acme", day(2)))
    assert sorted(owners(house, 2)) == ["g1", "g2", "g3"]


def test_a_partition_whose_rows_retention_dropped_is_not_copied(tmp_path: Path) -> None:
    house = house_at(tmp_path)
    build_tables(house, [MEMORY], cells("acme", day(1)))
    dropped(house, MEMORY, day(3))
    assert rows_of(house, MEMORY).is_empty()
    build_tables(house, [MEMORY], cells("acme", day(2)))
    assert rows_of(house, MEMORY)["gauges"].to_list() == [0]


def test_rows_that_retention_dropped_are_not_taken_for_none(tmp_path: Path) -> None:
    """Whoever asks for a reader alone is told; a plan builds what it reads first."""
    for number in (1, 2, 3):
        land(tmp_path, "acme", GAUGES, day(number), "a.csv", [gauge(number)])
        land(tmp_path, "acme", READINGS, day(number), "a.csv", [reading(number, day(number), gauge=number)])
    house = house_at(tmp_path)
    settle_plan(house, day(1), day(3))
    before = {name: rows_of(house, name) for name in (S_GAUGES, S_READINGS, LEVELS)}
    for name, today in ((B_GAUGES, 3), (B_READINGS, 3), (S_READINGS, 40)):
        dropped(house, name, day(today))
    anew = house_at(tmp_path, tables=toy.with_function(S_GAUGES, toy.silver_gauges, code_version="anew"))
    for lake, reader, read in (
        (anew, S_GAUGES, B_GAUGES),
        (house, S_READINGS, B_READINGS),
        (house, LEVELS, S_READINGS),
    ):
        kept = rows_of(house, reader)
        report = build(lake, reader, cells("acme", day(1)), "alone")
        (why,) = report.failed.values()
        assert f"retention has dropped the rows of {read} of 1 dates from {day(1)}: " in why
        assert (
            f"`lakehouse backfill --rebuild --select {reader.path} --tenant acme --from {day(1)} --to {day(1)}`" in why
        )
        assert rows_of(house, reader).equals(kept)
    plan = make_plan(house, [S_GAUGES, S_READINGS, LEVELS], ["acme"], day(1), day(3), rebuild=True)
    for name, partitions in plan.build.items():
        build_tables(house, [name], sorted(partitions))
    assert all(rows_of(house, name).equals(rows) for name, rows in before.items())
