"""What other tables and other rows say of rows that stand: looked-up columns, shared values, alerts, earlier rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import pytest

from lakehouse_assets.lake.assets import asset_of, partitions_definition
from lakehouse_assets.lake.checks import check_results
from lakehouse_assets.lake.column_lineage import column_lineage
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.domain import Domain
from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window, since_month_end
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.table import Lookup, Reference, Table, declared_tables, table, tables_of_sources
from lakehouse_assets.lake.values import code, number, text, timestamp
from lakehouse_assets_tests.lake import toy
from lakehouse_assets_tests.lake.toy import GAUGES, READINGS, Gauges, day, gauge, house_at, land, reading, settle_plan

OWNER = Lookup("gauge_id", "silver_gauges", "owner", otherwise="nobody")
S_READINGS, S_GAUGES = TableName("lake", "silver", "readings"), TableName("lake", "silver", "gauges")
TOTALS, LETTERS, MONTHS = (TableName("lake", "gold", name) for name in ("totals", "letters", "months"))


class OwnedReadings(Contract):
    """One row per reading."""

    reading_id: str = column("Reading", key=True)
    gauge_id: str = column("Gauge")
    owner: str = column("Owner of the gauge on the date")
    read_at: Annotated[pl.Datetime, "us", "UTC"] = column("Time")
    level: float = column("Level of the water", unit="m", nullable=True)
    mood: str = column("Mood of the water", nullable=True)


class Totals(Contract):
    """One row per owner of the date."""

    owner: str = column("Owner", key=True)
    readings: int = column("Readings")


class Letters(Contract):
    """One row per gauge."""

    gauge_id: str = column("Gauge", key=True)
    letters: int = column("Letters of its owner's name")
    written: int = column("Day of the year on which they were counted")


class Months(Contract):
    """One row: gauges as of the date and as of the month end before."""

    now: int = column("Gauges as of the date")
    then: int = column("Gauges as of the end of the month before")


def silver_readings(bronze_readings: pl.LazyFrame) -> pl.LazyFrame:
    """Nobody's readings are readings all the same."""
    typed = (text("reading_id"), text("gauge_id"), timestamp("read_at"), number("level"), code("mood"))
    return bronze_readings.with_columns(*typed)


def every_reading_counts(gold_totals: pl.LazyFrame, silver_readings: pl.LazyFrame) -> pl.LazyFrame:
    """The readings of all owners are the readings of the day."""
    counted = gold_totals.group_by("date").agg(pl.col("readings").sum().alias("counted"))
    there = silver_readings.group_by("date").agg(pl.len().alias("there"))
    return counted.join(there, on="date").filter(pl.col("counted") != pl.col("there"))


def gold_totals(silver_readings: pl.LazyFrame) -> pl.LazyFrame:
    """What is read on a wild day counts once too few: the alert is there to see it."""
    is_wild = (pl.col("mood") == "wild").any().cast(pl.Int64)
    return silver_readings.group_by("date", "owner").agg((pl.len() - is_wild).cast(pl.Int64).alias("readings"))


def gold_letters(silver_gauges: pl.LazyFrame, earlier: pl.LazyFrame) -> pl.LazyFrame:
    """Letters once counted are not counted again."""
    gauges = silver_gauges.select("date", "gauge_id", pl.col("owner").str.len_chars().cast(pl.Int64).alias("letters"))
    known = earlier.select("gauge_id", "letters", "written")
    found = gauges.join(known, on=["gauge_id", "letters"], how="left")
    return found.with_columns(pl.col("written").fill_null(pl.col("date").dt.ordinal_day().cast(pl.Int64)))


def gold_months(silver_gauges: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    """A month without gauges has none."""
    dates = pl.LazyFrame({"date": window.dates()}).with_columns(
        then_on=pl.col("date").dt.month_start().dt.offset_by("-1d")
    )
    counts = silver_gauges.group_by("date").agg(pl.len().cast(pl.Int64).alias("n"))
    found = dates.join(counts.rename({"n": "now"}), on="date", how="left")
    found = found.join(counts.rename({"n": "then", "date": "then_on"}), on="then_on", how="left")
    return found.select("date", pl.col("now", "then").fill_null(0))


def declare() -> Mapping[TableName, Table]:
    tables_of_sources([GAUGES, READINGS])
    table(Gauges, source=GAUGES, shared={"shared_owner": "owner"})(toy.silver_gauges)
    table(
        OwnedReadings,
        source=READINGS,
        references={"unknown_gauge": Reference("gauge_id", "silver_gauges")},
        lookups={"owner": OWNER},
    )(silver_readings)
    table(Totals, alerts=(every_reading_counts,))(gold_totals)
    table(Letters)(gold_letters)
    table(Months, windows={"silver_gauges": since_month_end()})(gold_months)
    return declared_tables()


with toy.own_registry():
    TABLES = declare()


def land_story(root: Path) -> None:
    land(root, "acme", GAUGES, day(1), "a.csv", [gauge(1), gauge(2), gauge(3, "Bob"), gauge(4, "")])
    land(root, "acme", GAUGES, day(3), "a.csv", [gauge(3, "Ada"), gauge(2, operation="delete")])
    rows = [reading(1, day(2), gauge=1), reading(2, day(2), gauge=3), reading(3, day(2), gauge=9)]
    land(root, "acme", READINGS, day(2), "a.csv", [*rows, reading(4, day(2), gauge=4)])
    land(root, "acme", READINGS, day(3), "a.csv", [reading(5, day(3), gauge=3), reading(6, day(3), mood="wild")])


def by_key(house: Any, name: TableName, on: date, *columns: str) -> dict[Any, Any]:
    rows = toy.rows_of(house, name, on=on).select(columns).rows()
    return {key: rest[0] if len(rest) == 1 else rest for key, *rest in rows}


def test_a_column_is_looked_up_as_of_the_date(tmp_path: Path) -> None:
    land_story(tmp_path)
    house = house_at(tmp_path, tables=TABLES)
    settle_plan(house, day(1), day(3))
    assert by_key(house, S_READINGS, day(2), "reading_id", "owner") == {
        "r1": "Ada",
        "r2": "Bob",
        "r3": "nobody",
        "r4": "nobody",
    }
    assert by_key(house, S_READINGS, day(3), "reading_id", "owner") == {"r5": "Ada", "r6": "Ada"}
    assert by_key(house, S_READINGS, day(2), "reading_id", "quality_flags")["r3"] == ["unknown_gauge"]
    assert by_key(house, S_READINGS, day(2), "reading_id", "quality_flags")["r4"] == []


def test_a_change_of_what_is_looked_up_makes_its_readers_stale(tmp_path: Path) -> None:
    land_story(tmp_path)
    house = house_at(tmp_path, tables=TABLES)
    settle_plan(house, day(1), day(3))
    land(tmp_path, "acme", GAUGES, day(2), "late.csv", [gauge(1, "Eve")])
    plan = make_plan(house, [S_READINGS], ["acme"], day(1), day(3), only_registered=True)
    assert toy.told(plan.build)[S_READINGS] == [2, 3]
    settle_plan(house, day(1), day(3))
    assert by_key(house, S_READINGS, day(2), "reading_id", "owner")["r1"] == "Eve"


def test_rows_that_share_a_value_are_flagged_on_the_dates_on_which_they_do(tmp_path: Path) -> None:
    land_story(tmp_path)
    house = house_at(tmp_path, tables=TABLES)
    settle_plan(house, day(1), day(3))
    shared = {
        on: [
            key
            for key, flags in by_key(house, S_GAUGES, day(on), "gauge_id", "quality_flags").items()
            if "shared_owner" in flags
        ]
        for on in (1, 2, 3)
    }
    assert shared == {1: ["g1", "g2"], 2: ["g1", "g2"], 3: ["g1", "g3"]}
    # Without an owner there is nothing to share.
    assert by_key(house, S_GAUGES, day(3), "gauge_id", "quality_flags")["g4"] == ["without_owner"]


def test_a_day_alone_is_flagged_as_within_a_range(tmp_path: Path) -> None:
    land_story(tmp_path)
    together, alone = house_at(tmp_path, tables=TABLES), tmp_path / "alone"
    settle_plan(together, day(1), day(3))
    land_story(alone)
    apart = house_at(alone, tables=TABLES)
    for on in (1, 2, 3):
        settle_plan(apart, day(on), day(on))
    for name in (S_GAUGES, S_READINGS, TOTALS):
        assert toy.rows_of(together, name).equals(toy.rows_of(apart, name), null_equal=True)


def test_an_alert_names_the_dates_that_break_it_and_the_rows_are_written(tmp_path: Path) -> None:
    land_story(tmp_path)
    house = house_at(tmp_path, tables=TABLES)
    settle_plan(house, day(1), day(3))
    report = toy.build_tables(house, [TOTALS], toy.cells("acme", day(2), day(3)))[TOTALS]
    (result,) = [r for r in check_results(TABLES[TOTALS], report) if r.check_name == "every_reading_counts"]
    assert (result.passed, result.severity.value) == (False, "ERROR")
    assert result.metadata["broken"].value == [{"date": str(day(3)), "counted": "1", "there": "2"}]
    assert by_key(house, TOTALS, day(3), "owner", "readings") == {"Ada": 1}


def test_an_alert_that_cannot_be_asked_leaves_its_dates_to_be_built_again(tmp_path: Path) -> None:
    land_story(tmp_path)
    house = house_at(tmp_path, tables=TABLES)
    settle_plan(house, day(1), day(3))
    land(tmp_path, "acme", READINGS, day(2), "b.csv", [reading(7, day(2))])
    toy.build_tables(house, [TableName("lake", "bronze", "readings"), S_READINGS], toy.cells("acme", day(2)))

    def every_reading_counts(gold_totals: pl.LazyFrame) -> pl.LazyFrame:
        return gold_totals.select("date", pl.col("nothing"))

    broken = {**TABLES, TOTALS: replace(TABLES[TOTALS], alerts=(every_reading_counts,))}
    report = build(house_at(tmp_path, tables=broken), TOTALS, toy.cells("acme", day(2)), "run")
    (why,) = report.failed.values()
    assert "nothing" in why
    (result,) = [r for r in check_results(TABLES[TOTALS], report) if r.check_name == "every_reading_counts"]
    assert not result.passed
    assert result.metadata["not_evaluated"].value == 1
    assert house.ledger.read(tables=[TOTALS])["date"].to_list() == [day(1), day(3)]
    settle_plan(house, day(1), day(3))
    assert house.ledger.read(tables=[TOTALS]).height == 3


def test_earlier_rows_are_the_newest_before_the_date(tmp_path: Path) -> None:
    land_story(tmp_path)
    house = house_at(tmp_path, tables=TABLES)
    for on in (1, 2, 3):
        settle_plan(house, day(on), day(on))
    assert by_key(house, LETTERS, day(2), "gauge_id", "letters", "written")["g1"] == [3, 1]
    # g3 has another owner, of as many letters: nothing to be counted.
    assert by_key(house, LETTERS, day(3), "gauge_id", "letters", "written") == {"g1": [3, 1], "g3": [3, 1]}


def test_earlier_rows_of_other_code_are_not_taken_over(tmp_path: Path) -> None:
    land_story(tmp_path)
    house = house_at(tmp_path, tables=TABLES)
    settle_plan(house, day(1), day(1))
    changed = house_at(tmp_path, tables={**TABLES, LETTERS: replace(TABLES[LETTERS], code_version="anew")})
    toy.build_tables(changed, [S_GAUGES, LETTERS], toy.cells("acme", day(2)))
    assert by_key(changed, LETTERS, day(2), "gauge_id", "letters", "written")["g1"] == [3, 2]


def test_the_end_of_the_month_before_is_read_with_the_date(tmp_path: Path) -> None:
    land_story(tmp_path)
    land(tmp_path, "acme", GAUGES, day(32), "a.csv", [gauge(7), gauge(8)])
    house = house_at(tmp_path, tables=TABLES)
    settle_plan(house, day(30), day(33))
    counts = {on: next(iter(by_key(house, MONTHS, day(on), "now", "then").items())) for on in (30, 31, 32, 33)}
    assert counts == {30: (3, 0), 31: (3, 0), 32: (5, 3), 33: (5, 3)}
    land(tmp_path, "acme", GAUGES, day(31), "late.csv", [gauge(9)])
    plan = make_plan(house, [MONTHS], ["acme"], day(30), day(33), only_registered=True)
    assert toy.told(plan.build)[MONTHS] == [31, 32, 33]


def test_what_is_looked_up_and_shared_shows_in_lineage_and_checks() -> None:
    lineage = column_lineage(TABLES)["lake.silver.readings"]
    assert lineage["owner"] == [
        ["lake.bronze.readings", "gauge_id"],
        ["lake.silver.gauges", "gauge_id"],
        ["lake.silver.gauges", "owner"],
    ]
    domain, partitions = Domain(name="lake", description="", owners=("team:lake",)), partitions_definition(toy.START)
    names = {
        name: {spec.name: spec.description for spec in asset_of(TABLES[name], domain, partitions, uri="").check_specs}
        for name in (S_GAUGES, TOTALS)
    }
    assert names[S_GAUGES]["shared_owner"] == "flag: owner stands in several rows of the date"
    assert names[TOTALS]["every_reading_counts"] == "alert: The readings of all owners are the readings of the day."


def nameless(gold_totals: pl.LazyFrame) -> pl.LazyFrame:
    return gold_totals


def strange(gold_totals: pl.LazyFrame, gold_letters: pl.LazyFrame) -> pl.LazyFrame:
    """Never."""
    return gold_totals.join(gold_letters, on="date")


@pytest.mark.parametrize(
    ("contract", "function", "options", "message"),
    [
        (Totals, gold_totals, {"alerts": (nameless,)}, "says nothing"),
        (Totals, gold_totals, {"alerts": (strange,)}, "asks for gold_letters"),
        (Totals, gold_totals, {"lookups": {"owner": OWNER}}, "join the table"),
        (Totals, gold_totals, {"shared": {"s": "owner"}}, "count the rows"),
        (
            Gauges,
            toy.silver_gauges,
            {"source": GAUGES, "lookups": {"owner": OWNER}},
            "look columns up where it is read",
        ),
        (Gauges, toy.silver_gauges, {"source": GAUGES, "shared": {"s": "colour"}}, "name a flag and a column"),
        (
            OwnedReadings,
            silver_readings,
            {"source": READINGS, "lookups": {"colour": OWNER}},
            "both must be columns of it",
        ),
        (
            OwnedReadings,
            silver_readings,
            {"source": READINGS, "lookups": {"owner": Lookup("gauge_id", "silver_gauges", "owner")}},
            "say what it is otherwise",
        ),
    ],
)
def test_what_cannot_work_is_refused(
    contract: type[Contract], function: Callable[..., pl.LazyFrame], options: dict[str, Any], message: str
) -> None:
    with toy.own_registry(), pytest.raises(ContractError, match=message):
        table(contract, **options)(function)


def test_a_lookup_must_find_one_row_at_most() -> None:
    by_mood = {"owner": Lookup("mood", "silver_gauges", "owner", "nobody")}
    with toy.own_registry():
        tables_of_sources([GAUGES, READINGS])
        table(Gauges, source=GAUGES)(toy.silver_gauges)
        table(OwnedReadings, source=READINGS, lookups=by_mood)(silver_readings)
        with pytest.raises(ContractError, match="a row must find one row at most"):
            declared_tables()
