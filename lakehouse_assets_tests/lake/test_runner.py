"""A step: what is written, what is refused, and how its rows add up."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.ledger import EMPTY
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, Window
from lakehouse_assets.lake.report import LEAST_JUDGED, PartitionReport
from lakehouse_assets.lake.runner import build
from lakehouse_assets_tests.lake import toy
from lakehouse_assets_tests.lake.toy import (
    B_GAUGES,
    B_READINGS,
    GAUGES,
    LEVELS,
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

FIGURES = ("rows_in", "rows_kept", "rows_rejected", "rows_duplicate", "rows_deleted", "rows_written")


def figures(house: Lakehouse, name: TableName) -> dict[date, tuple[int, ...]]:
    """The ledger's figures of a table by date, as FIGURES has them."""
    mine = house.ledger.read(tables=[name]).sort("date")
    return {on: tuple(rest) for on, *rest in mine.select("date", *FIGURES).iter_rows()}


def reasons(failed: Mapping[Partition, str]) -> set[str]:
    return set(failed.values())


# Counts


def test_every_record_is_kept_rejected_a_duplicate_or_deleted(tmp_path: Path) -> None:
    same = reading(2, day(2), level=7)
    rows = [reading(1, day(2)), same, same, reading(3, day(2), level=-11), reading(4, f"{day(2)}T12:00:00Z", level=7)]
    land(tmp_path, "acme", READINGS, day(2), "a.csv", rows)
    land(tmp_path, "acme", GAUGES, day(1), "a.csv", [gauge(1), gauge(2), gauge(3, height=-1), gauge(1, "Bob")])
    land(tmp_path, "acme", GAUGES, day(2), "a.csv", [gauge(1, "Bob"), gauge(2, operation="delete")])
    house = house_at(tmp_path)
    settle_plan(house, day(1), day(3))
    assert figures(house, B_READINGS) == {day(1): (0,) * 6, day(2): (5, 5, 0, 0, 0, 5), day(3): (0,) * 6}
    # r1, r2 and r4 read the same gauge at the same time: the lowest stands.
    assert figures(house, S_READINGS) == {day(1): (0,) * 6, day(2): (5, 1, 1, 3, 0, 1), day(3): (0,) * 6}
    assert figures(house, S_GAUGES) == {
        day(1): (4, 2, 1, 1, 0, 2),
        day(2): (2, 0, 0, 1, 1, 1),
        day(3): (0, 0, 0, 0, 0, 1),
    }
    assert figures(house, LEVELS)[day(2)] == (1, 1, 0, 0, 0, 1)


def test_rules_are_counted_for_every_partition(tmp_path: Path) -> None:
    rows = [reading(1, day(1), level=0), reading(2, day(1), level=60, gauge=2), reading(3, day(2), level=-50, gauge=3)]
    land(tmp_path, "acme", READINGS, day(1), "a.csv", rows)
    house = house_at(tmp_path)
    build_tables(house, [B_READINGS], cells("acme", day(1)))
    report = build_tables(house, [S_READINGS], cells("acme", day(1), day(2)))[S_READINGS]
    broken = {p.date: {rule: n for rule, n in p.rules.items() if n} for p in report.judged}
    assert broken == {day(1): {"frozen": 1, "high_water": 1, "unknown_gauge": 2}, day(2): {"below_the_bed": 1}}
    assert {p.date: p.quality_score for p in report.judged} == {day(1): 1.0, day(2): 0.0}
    assert report.total("rows_in") == 3
    assert report.rules["unknown_gauge"] == 2


def test_only_the_rows_of_the_dates_asked_for_are_judged(tmp_path: Path) -> None:
    land(
        tmp_path, "acme", READINGS, day(2), "a.csv", [reading(1, day(1), level=-99), reading(2, day(2)), reading(3, "")]
    )
    house = house_at(tmp_path)
    build_tables(house, [B_READINGS, S_READINGS], cells("acme", day(2)))
    assert figures(house, S_READINGS) == {day(2): (2, 1, 1, 0, 0, 1)}
    assert rows_of(house, S_READINGS.quarantine)["rules"].to_list() == [["is_null"]]


@pytest.mark.parametrize(
    ("counts", "reconciled"),
    [
        pytest.param(
            {"rows_in": 4, "rows_kept": 1, "rows_rejected": 1, "rows_duplicate": 1, "rows_deleted": 1}, True, id="all"
        ),
        pytest.param({"rows_in": 4, "rows_kept": 3}, False, id="one is lost"),
        pytest.param({"rows_in": 4, "rows_kept": 5}, False, id="one is doubled"),
        pytest.param({"rows_in": 4, "rows_kept": 4, "rows_expected": 5}, False, id="one did not come in"),
        pytest.param({"rows_in": 4, "rows_kept": 4, "rows_expected": 4}, True, id="as many as upstream"),
        pytest.param({}, True, id="nothing"),
    ],
)
def test_a_partition_is_reconciled_when_its_rows_add_up(counts: dict[str, int], reconciled: bool) -> None:
    assert PartitionReport(tenant_id="acme", date=day(1), **counts).is_reconciled is reconciled  # type: ignore[arg-type]


# Refusal


def readings_of(on: date, total: int, rejected: int) -> list[dict[str, object]]:
    return [reading(n, f"{on}T10:{n % 60:02}:{n // 60:02}Z", level=-99 if n < rejected else 1) for n in range(total)]


@pytest.mark.parametrize(
    ("total", "rejected", "refused"),
    [
        pytest.param(LEAST_JUDGED, 10, False, id="a fifth"),
        pytest.param(LEAST_JUDGED, 11, True, id="more than a fifth"),
        pytest.param(LEAST_JUDGED - 1, 30, False, id="too few to tell"),
    ],
)
def test_a_partition_with_too_many_rejected_rows_is_refused(
    tmp_path: Path, total: int, rejected: int, refused: bool
) -> None:
    land(tmp_path, "acme", READINGS, day(2), "a.csv", readings_of(day(2), total, rejected))
    house = house_at(tmp_path)
    build_tables(house, [B_READINGS], cells("acme", day(2)))
    report = build(house, S_READINGS, cells("acme", day(2)), "run")
    assert (set(report.failed) == set(cells("acme", day(2)))) is refused
    assert rows_of(house, S_READINGS).height == (0 if refused else total - rejected)


def test_of_a_refused_partition_the_quarantine_is_written_and_its_neighbours_are(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        land(tmp_path, "acme", READINGS, day(number), "a.csv", readings_of(day(number), 60, 2))
    house = house_at(tmp_path)
    build_tables(house, [B_READINGS, S_READINGS], cells("acme", *map(day, (1, 2, 3))))
    before = live_files(house, S_READINGS)
    for number, rejected in ((1, 3), (2, 50), (3, 4)):
        land(tmp_path, "acme", READINGS, day(number), "b.csv", readings_of(day(number), 40, rejected))
    build_tables(house, [B_READINGS], cells("acme", *map(day, (1, 2, 3))))
    report = build(house, S_READINGS, cells("acme", *map(day, (1, 2, 3))), "run")
    ((partition, why),) = report.failed.items()
    assert partition == Partition("acme", day(2))
    assert "42 of 100 rows are rejected, over 20%" in why
    assert "lake.quarantine.readings" in why
    after = live_files(house, S_READINGS)
    assert after[partition] == before[partition], "what was there stays"
    entered = house.ledger.read(tables=[S_READINGS])["date"].to_list()
    assert entered == [day(1), day(3)], "but nothing vouches for it: its quarantine is another"
    assert not after[Partition("acme", day(1))] & before[Partition("acme", day(1))]
    rejected_rows = rows_of(house, S_READINGS.quarantine).group_by("date").len().sort("date")["len"].to_list()
    assert rejected_rows == [5, 42, 6]
    assert [p.date for p in report.written] == [day(1), day(3)]


def test_where_every_partition_is_refused_the_table_has_no_commit(tmp_path: Path) -> None:
    land(tmp_path, "acme", READINGS, day(1), "a.csv", readings_of(day(1), 60, 60))
    house = house_at(tmp_path)
    build_tables(house, [B_READINGS], cells("acme", day(1)))
    build(house, S_READINGS, cells("acme", day(1)), "run")
    opened = house.lake.open(S_READINGS)
    assert opened is not None
    assert opened.version() == 0
    assert figures(house, S_READINGS) == {}


# Functions that do not keep their contract

READ: dict[str, pl.Expr] = {"readings": pl.lit(1, pl.Int64), "highest": pl.lit(1.0)}
DATED = [pl.col("date"), pl.col("gauge_id")]


@pytest.fixture(scope="module")
def levels_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which the levels of three days are built."""
    root = tmp_path_factory.mktemp("levels")
    land(root, "acme", GAUGES, day(1), "a.csv", [gauge(1), gauge(2)])
    settle_plan(house_at(root), day(1), day(3))
    return root


@pytest.fixture
def levels(levels_once: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(levels_once, tmp_path / "levels"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        pytest.param([*DATED, READ["readings"].alias("readings")], "no column 'highest'", id="a column is missing"),
        pytest.param(
            [*DATED, pl.lit("one").alias("readings"), READ["highest"].alias("highest")],
            r"levels\.readings is String, the contract says Int64",
            id="a type",
        ),
        pytest.param(
            [pl.col("date").cast(pl.Datetime), pl.col("gauge_id")], r"levels\.date is Datetime", id="the date is a time"
        ),
        pytest.param(
            [pl.col("date") + pl.duration(days=5), pl.col("gauge_id")],
            "came out of acme 2025-01-01 … 2025-01-03",
            id="later dates",
        ),
        pytest.param(
            [pl.col("date") - pl.duration(days=1), pl.col("gauge_id")], "2024-12-31", id="dates before the window"
        ),
        pytest.param([pl.lit(None, pl.Date).alias("date"), pl.col("gauge_id")], "came out of acme", id="no dates"),
    ],
)
def test_a_function_that_breaks_its_promise_writes_nothing(levels: Path, columns: list[pl.Expr], message: str) -> None:
    def gold_levels(silver_gauges: pl.LazyFrame, silver_readings: pl.LazyFrame, window: Window) -> pl.LazyFrame:
        frame = silver_gauges.select(*columns)
        return frame if len(columns) > 2 else frame.with_columns(**READ)

    house = house_at(levels, tables=toy.with_function(LEVELS, gold_levels))
    before = versions(house)
    report = build(house, LEVELS, cells("acme", *map(day, (1, 2, 3))), "run")
    assert set(report.failed) == set(cells("acme", *map(day, (1, 2, 3))))
    (why,) = reasons(report.failed)
    assert why.startswith("ComputationError: lake.gold.levels")
    assert re.search(message, why)
    assert versions(house) == before


def test_rows_of_one_key_are_all_rejected(levels: Path) -> None:
    def gold_levels(silver_gauges: pl.LazyFrame, silver_readings: pl.LazyFrame, window: Window) -> pl.LazyFrame:
        twice = pl.concat([silver_gauges, silver_gauges.filter(pl.col("gauge_id") == "g2")])
        return twice.select("date", "gauge_id", **READ)

    house = house_at(levels, tables=toy.with_function(LEVELS, gold_levels))
    build_tables(house, [LEVELS], cells("acme", day(1), day(2)))
    assert rows_of(house, LEVELS, on=day(1))["gauge_id"].to_list() == ["g1"]
    aside = rows_of(house, LEVELS.quarantine, on=day(1))
    assert aside["rules"].to_list() == [["is_duplicate"]] * 2
    assert [json.loads(raw)["gauge_id"] for raw in aside["raw"]] == ["g2", "g2"]


# Reconciliation with what is upstream


@pytest.mark.parametrize("name", [S_GAUGES, S_READINGS])
def test_rows_that_went_missing_upstream_refuse_the_chunk(tmp_path: Path, name: TableName) -> None:
    """The file register knows how many rows bronze holds; a table that judges fewer is not written."""
    source, bronze = (GAUGES, B_GAUGES) if name == S_GAUGES else (READINGS, B_READINGS)
    rows = [gauge(1), gauge(2)] if name == S_GAUGES else [reading(1, day(1)), reading(2, day(1), gauge=2)]
    land(tmp_path, "acme", source, day(1), "a.csv", rows)
    house = house_at(tmp_path)
    build_tables(house, [bronze, name], cells("acme", day(1)))
    before = versions(house)
    frame = house.lake.scan(bronze, TABLES[bronze].schema, tenants=["acme"], dates=[day(1)]).collect()
    sink = house.lake.sink(bronze)
    pl.collect_all([sink.of(frame.head(1).lazy())])
    written = house.lake.describe(sink, TABLES[bronze].schema)
    house.lake.commit(bronze, written, replaces=lambda _: house.lake.files(bronze), receipt={})
    report = build(house, name, cells("acme", day(1)), "run")
    (why,) = reasons(report.failed)
    assert "1 rows were judged, 2 are upstream" in why
    assert {n: v for n, v in versions(house).items() if n != bronze} == {n: v for n, v in before.items() if n != bronze}


# What is asked for


def test_a_partition_that_nothing_landed_for_is_built_and_empty(tmp_path: Path) -> None:
    house = house_at(tmp_path)
    for name in TABLES:
        build_tables(house, [name], cells("acme", day(1)))
    ledger = house.ledger.read()
    assert ledger.height == len(TABLES)
    assert dict(ledger.filter(pl.col("layer") == "bronze").select("table", "input_fingerprint").iter_rows()) == {
        "gauges": EMPTY.hex(),
        "readings": EMPTY.hex(),
    }


def test_nothing_asked_for_is_nothing_done(tmp_path: Path) -> None:
    report = build(house_at(tmp_path), LEVELS, [], "run")
    assert (report.chunks, report.failed) == ([], {})
    assert not (tmp_path / "lake").exists()


def test_a_table_that_no_one_declared_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SelectionError, match=r"lake\.gold\.nothing"):
        build(house_at(tmp_path), TableName("lake", "gold", "nothing"), cells("acme", day(1)), "run")


def test_a_step_reads_what_was_landed_and_not_what_lies_there_now(levels: Path) -> None:
    """Between bronze and silver a file may land; silver follows bronze, and the plan says the rest."""
    land(levels, "acme", GAUGES, day(2), "b.csv", [gauge(3)])
    house: Lakehouse = house_at(levels)
    moved = replace(house, landing=Landing(str(levels / "elsewhere")))
    build_tables(moved, [S_GAUGES], cells("acme", day(2)))
    assert rows_of(house, S_GAUGES, on=day(2))["gauge_id"].to_list() == ["g1", "g2"]
