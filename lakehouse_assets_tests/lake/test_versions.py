"""Versions by ingest date: judged as their table judges them, one a day, and none changed by what lands later."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.lake import code_version as code
from lakehouse_assets.lake.bronze import with_business_date
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.table import Table, declared_tables, table
from lakehouse_assets.lake.versions import valid_versions
from lakehouse_assets_tests.lake import toy

type_of_record = dict[str, object]


def bronze(landed: list[tuple[int, str, type_of_record]]) -> pl.LazyFrame:
    """Records by the number of the day and the name of the file in which they landed."""
    rows = [
        dict.fromkeys(toy.READINGS.text_columns)
        | {name: str(value) for name, value in record.items() if value != ""}
        | {"date": toy.day(number), "_source_file": f"acme/lake/readings/{toy.day(number)}/{file}", "_row_number": row}
        for row, (number, file, record) in enumerate(landed, 1)
    ]
    return with_business_date(pl.LazyFrame(rows, infer_schema_length=None), toy.READINGS, toy.START)


def versions(*landed: tuple[int, str, type_of_record]) -> list[tuple[Any, ...]]:
    found = valid_versions(toy.silver_readings, toy.Readings, toy.READINGS, bronze(list(landed)))
    columns = ("date", "business_date", "reading_id", "level")
    return sorted(found.select(columns).collect(engine="streaming").rows())


def test_each_landing_has_its_version_and_the_last_of_a_day_stands() -> None:
    found = versions(
        (2, "b.csv", toy.reading(1, toy.day(1), 3)),
        (2, "a.csv", toy.reading(1, toy.day(1), 2)),
        (3, "a.csv", toy.reading(1, toy.day(1), 4)),
        (3, "a.csv", toy.reading(1, toy.day(1), 5)),
        (3, "a.csv", toy.reading(2, toy.day(3), 9)),
    )
    assert found == [
        (toy.day(2), toy.day(1), "r1", 3.0),
        (toy.day(3), toy.day(1), "r1", 5.0),
        (toy.day(3), toy.day(3), "r2", 9.0),
    ]


def test_a_version_on_another_business_date_is_a_row_of_its_own() -> None:
    found = versions((3, "a.csv", toy.reading(1, toy.day(1))), (3, "a.csv", toy.reading(1, toy.day(2))))
    assert [row[:3] for row in found] == [(toy.day(3), toy.day(1), "r1"), (toy.day(3), toy.day(2), "r1")]


def test_an_invalid_version_replaces_none() -> None:
    noon = toy.day(1)
    found = versions(
        (1, "a.csv", toy.reading(1, noon, 1)),
        (1, "b.csv", toy.reading(1, noon, "wet")),
        (1, "c.csv", toy.reading(1, noon, -11)),
        (1, "d.csv", toy.reading(1, noon, 101)),
        (1, "e.csv", toy.reading(1, noon, 2, mood="sulky")),
        (1, "f.csv", {"reading_id": "r1", "read_at": f"{noon}T12:00:00Z"}),
        (1, "g.csv", toy.reading(1, "soon")),
        (1, "h.csv", toy.reading(1, date(2019, 1, 1))),
        (1, "i.csv", toy.reading(1, toy.day(3))),
    )
    assert found == [(toy.day(1), toy.day(1), "r1", 1.0)]


def test_a_column_that_is_looked_up_elsewhere_is_neither_judged_nor_given() -> None:
    class Placed(toy.Readings):
        """One row per reading."""

        owner: str = column("Owner of the gauge")

    found = valid_versions(
        toy.silver_readings, Placed, toy.READINGS, bronze([(1, "a.csv", toy.reading(1, toy.day(1)))])
    )
    assert found.collect().height == 1
    assert "owner" not in found.collect_schema()


class Landed(Contract):
    """One row per reading that landed on the date."""

    reading_id: str = column("Reading", key=True)
    business_date: pl.Date = column("Date on which it was read", key=True)
    level: float = column("Level of the water", unit="m", nullable=True)


def silver_readings_landed(bronze_readings: pl.LazyFrame) -> pl.LazyFrame:
    """What was known, not what is."""
    return valid_versions(toy.silver_readings, toy.Readings, toy.READINGS, bronze_readings)


def declare() -> Table:
    with toy.own_registry():
        toy.declare()
        table(Landed)(silver_readings_landed)
        tables = declared_tables()
    return next(found for name, found in tables.items() if name.table == "readings_landed")


LANDED = declare()


def test_a_correction_in_the_lake_is_a_version_of_its_day_and_leaves_the_earlier_one(tmp_path: Path) -> None:
    house = toy.house_at(tmp_path, tables={**toy.TABLES, LANDED.name: LANDED})
    toy.land(tmp_path, "acme", toy.READINGS, toy.day(1), "a.csv", [toy.reading(1, toy.day(1), 1)])
    toy.land(tmp_path, "acme", toy.READINGS, toy.day(2), "b.csv", [toy.reading(2, toy.day(2), 1)])
    toy.settle_plan(house, toy.day(1), toy.day(3))
    before = toy.rows_of(house, LANDED.name)
    toy.land(tmp_path, "acme", toy.READINGS, toy.day(3), "c.csv", [toy.reading(1, toy.day(1), 7)])
    built = toy.settle_plan(house, toy.day(1), toy.day(3))
    assert built[LANDED.name] == {Partition("acme", toy.day(3))}
    assert toy.numbers(built[toy.S_READINGS]) == [1]
    after = toy.rows_of(house, LANDED.name)
    assert after.filter(pl.col("date") < toy.day(3)).equals(before)
    assert after.filter(pl.col("date") == toy.day(3))["level"].to_list() == [7.0]


def test_versions_follow_the_code_of_the_table_that_judges_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(bronze_readings: pl.LazyFrame) -> pl.LazyFrame:
        return toy.silver_readings(bronze_readings)

    found = [version_anew()]
    for name, other in (("silver_readings", lenient), ("Readings", toy.Gauges), ("READINGS", toy.GAUGES)):
        monkeypatch.setattr(toy, name, other)
        found.append(version_anew())
    monkeypatch.undo()
    assert version_anew() == found[0]
    assert len(set(found)) == 4


def version_anew() -> str:
    """As another process would find it."""
    code._read.cache_clear()
    return code.code_version(silver_readings_landed)
