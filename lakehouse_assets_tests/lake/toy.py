"""A domain as small as one can be, to play the framework with: gauges in a lake and what they read.

Belongs here: its sources and tables, declared as a domain declares them, and a lakehouse of them in a folder. Not
here: what is tested. Its name is that of this folder, `lake`, for a table's domain is the package that it lies in.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import pytest

from lakehouse_assets.lake import table as declarations
from lakehouse_assets.lake.contract import Contract, column, flag, reject, warn
from lakehouse_assets.lake.lakehouse import CHUNK_BYTES, Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import MaturedMonthEnds, Partition, Window, trailing
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.report import StepReport
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.source import Source
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets.lake.table import Duplicates, Reference, Table, declared_tables, table, tables_of_sources
from lakehouse_assets.lake.values import code, number, text, timestamp

START = date(2025, 1, 1)
# All files land at this moment, so that lakes can be compared; a file that changes says another.
LANDED_AT = 1_735_800_000
# What differs between two lakes of the same rows: who built them when, and how often.
VOLATILE = {"run_id", "quarantined_at", "built_at", "table_version"}


def day(number: int) -> date:
    """The n-th date of the story, from 1."""
    return START + timedelta(days=number - 1)


@contextmanager
def own_registry() -> Iterator[None]:
    """What is declared inside is known inside only: the project's tables stay what they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(declarations, "_registry", {})
        yield


GAUGES = Source(
    domain="lake",
    name="gauges",
    kind="entity",
    key=("gauge_id",),
    version="changed_at",
    columns={"gauge_id": "Gauge", "owner": "Owner", "height": "Height", "changed_at": "Time of this version"},
    required=("gauge_id",),
    description="gauges in the lake",
)
READINGS = Source(
    domain="lake",
    name="readings",
    kind="event",
    key=("reading_id",),
    version="read_at",
    columns={"reading_id": "Reading", "gauge_id": "Gauge", "read_at": "Time", "level": "Level", "mood": "Mood"},
    required=("reading_id", "read_at"),
    description="levels that gauges read",
)


class Gauges(Contract):
    """One row per gauge as of the date."""

    gauge_id: str = column("Gauge", key=True)
    owner: str = column("Owner", nullable=True)
    height: float = column("Height above the sea", unit="m", nullable=True, ge=0)
    changed_at: Annotated[pl.Datetime, "us", "UTC"] = column("Time of this version", nullable=True)

    @flag
    def without_owner(cls) -> pl.Expr:
        """No one owns the gauge."""
        return pl.col("owner").is_not_null()


class Readings(Contract):
    """One row per reading."""

    reading_id: str = column("Reading", key=True)
    gauge_id: str = column("Gauge")
    read_at: Annotated[pl.Datetime, "us", "UTC"] = column("Time")
    level: float = column("Level of the water", unit="m", nullable=True, le=100)
    mood: str = column("Mood of the water", nullable=True, isin=["calm", "wild"])

    @reject
    def below_the_bed(cls) -> pl.Expr:
        """The level lies below the bed of the lake."""
        return pl.col("level") >= -10

    @flag
    def frozen(cls) -> pl.Expr:
        """The level is zero, as a frozen gauge says."""
        return pl.col("level") != 0

    @warn
    def high_water(cls) -> pl.Expr:
        """The water stands high."""
        return pl.col("level") < 50


class Levels(Contract):
    """One row per gauge: its readings of three days."""

    gauge_id: str = column("Gauge", key=True)
    readings: int = column("Readings in the three days to the date", ge=0)
    highest: float = column("Highest level", unit="m", nullable=True)


class Peak(Contract):
    """At most one row: the highest gauge of the date."""

    gauge_id: str = column("Gauge", key=True)
    highest: float = column("Highest level", unit="m", le=90)


class Memory(Contract):
    """One row: how many gauges there were at the month ends that lie five days back."""

    gauges: int = column("Gauges")


def silver_gauges(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
    """A gauge without an owner still reads."""
    return bronze_gauges.with_columns(text("gauge_id"), text("owner"), number("height"), timestamp("changed_at"))


def silver_readings(bronze_readings: pl.LazyFrame) -> pl.LazyFrame:
    """A reading of an unknown gauge is a reading all the same."""
    typed = (text("reading_id"), text("gauge_id"), timestamp("read_at"), number("level"), code("mood"))
    return bronze_readings.with_columns(*typed)


def gold_levels(silver_gauges: pl.LazyFrame, silver_readings: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    """Gauges that read nothing are kept, with zero readings."""
    dates = pl.LazyFrame({"date": window.dates()})
    read = silver_readings.rename({"date": "read_on"}).join(dates, how="cross")
    read = read.filter(pl.col("read_on").is_between(pl.col("date") - pl.duration(days=2), pl.col("date")))
    levels = read.group_by("date", "gauge_id").agg(
        pl.len().cast(pl.Int64).alias("readings"), pl.col("level").max().alias("highest")
    )
    gauges = silver_gauges.select("date", "gauge_id").join(levels, on=["date", "gauge_id"], how="left")
    return gauges.with_columns(pl.col("readings").fill_null(0))


def gold_peak(gold_levels: pl.LazyFrame) -> pl.LazyFrame:
    """The first of the gauges that read the same."""
    ranked = gold_levels.filter(pl.col("highest").is_not_null()).sort(["highest", "gauge_id"], descending=[True, False])
    return ranked.group_by("date").first().select("date", "gauge_id", "highest")


def platinum_memory(silver_gauges: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    """The same for every date until another month end has matured."""
    months = MONTH_ENDS.snapshots(window.last, START)
    dates = pl.LazyFrame({"date": window.dates()})
    matured = silver_gauges.filter(pl.col("date").is_in(months)).select(pl.col("date").alias("month_end"))
    counted = dates.join(matured, how="cross").filter(
        pl.col("month_end") + pl.duration(days=MONTH_ENDS.horizon) <= pl.col("date")
    )
    counts = counted.group_by("date").agg(pl.len().cast(pl.Int64).alias("gauges"))
    return dates.join(counts, on="date", how="left").with_columns(pl.col("gauges").fill_null(0))


MONTH_ENDS = MaturedMonthEnds(horizon=5)


def declare() -> Mapping[TableName, Table]:
    """The tables of the domain, an input before its readers."""
    tables_of_sources([GAUGES, READINGS])
    table(Gauges, source=GAUGES)(silver_gauges)
    table(
        Readings,
        source=READINGS,
        references={"unknown_gauge": Reference("gauge_id", "silver_gauges")},
        duplicates=Duplicates(on=("gauge_id", "read_at"), lowest="reading_id"),
    )(silver_readings)
    table(Levels, windows={"silver_readings": trailing(days=3)})(gold_levels)
    table(Peak)(gold_peak)
    table(Memory, windows={"silver_gauges": MONTH_ENDS}, carries_forward=True)(platinum_memory)
    return declared_tables()


with own_registry():
    TABLES = declare()

B_GAUGES, B_READINGS = TableName("lake", "bronze", "gauges"), TableName("lake", "bronze", "readings")
S_GAUGES, S_READINGS = TableName("lake", "silver", "gauges"), TableName("lake", "silver", "readings")
LEVELS, PEAK = TableName("lake", "gold", "levels"), TableName("lake", "gold", "peak")
MEMORY = TableName("lake", "platinum", "memory")


def with_function(name: TableName, function: Any, **changes: Any) -> dict[TableName, Table]:
    """The tables with another function in one of them, as after a change of the code."""
    changed = replace(TABLES[name], function=function, **{"code_version": f"{name.table} anew", **changes})
    return {**TABLES, name: changed}


def land(root: Path, tenant: str, source: Source, on: date, name: str, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write a CSV file into the landing zone; an entity's has the `_op` column."""
    folder = root / "landing" / tenant / source.domain / source.name / on.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    lines = [",".join(source.text_columns)]
    lines += [",".join(str(row.get(column, "")) for column in source.text_columns) for row in rows]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    os.utime(path, (LANDED_AT, LANDED_AT))
    return path


def gauge(
    number: int, owner: object = "Ada", at: object = "", operation: str = "", height: object = 1
) -> dict[str, object]:
    """A record of the gauges."""
    return {"gauge_id": f"g{number}", "owner": owner, "height": height, "changed_at": at, "_op": operation}


def reading(number: int, at: date | str, level: object = 1, gauge: int = 1, mood: str = "") -> dict[str, object]:
    """A record of the readings, at noon where only a date is given."""
    moment = f"{at}T12:00:00Z" if isinstance(at, date) else at
    return {"reading_id": f"r{number}", "gauge_id": f"g{gauge}", "read_at": moment, "level": level, "mood": mood}


def house_at(root: Path, *, tables: Mapping[TableName, Table] = TABLES, chunk_bytes: int = CHUNK_BYTES) -> Lakehouse:
    """A lakehouse opened anew, as another process would."""
    (root / "landing").mkdir(parents=True, exist_ok=True)
    lake = Lake(str(root / "lake"))
    return Lakehouse(Landing(str(root / "landing")), lake, tables, START, chunk_bytes)


def cells(tenant: str, *dates: date) -> list[Partition]:
    return [Partition(tenant, on) for on in dates]


def build_tables(
    house: Lakehouse, names: Iterable[TableName], partitions: Sequence[Partition]
) -> dict[TableName, StepReport]:
    """Build these partitions of one table after the other, each of them without a failure."""
    reports = {}
    for name in names:
        reports[name] = build(house, name, partitions, "toy")
        assert not reports[name].failed, reports[name].failed
    return reports


def settle_plan(
    house: Lakehouse, first: date, last: date, tenants: Sequence[str] = ("acme",)
) -> dict[TableName, set[Partition]]:
    """Carry out plans until one is empty; return all that was built."""
    built: dict[TableName, set[Partition]] = {}
    rounds = 0
    while not (plan := make_plan(house, list(house.tables), tenants, first, last, only_registered=True)).is_empty:
        rounds += 1
        assert rounds < 5, f"the plan does not come to an end: {plan.build}"
        for name, partitions in plan.build.items():
            build_tables(house, [name], sorted(partitions))
            built.setdefault(name, set()).update(partitions)
    return {name: partitions for name, partitions in built.items() if partitions}


def rows_of(house: Lakehouse, name: TableName, *, tenant: str | None = None, on: date | None = None) -> pl.DataFrame:
    """What any reader of the lake sees of a table, in a stable order, without what differs from run to run."""
    place = Path(house.lake.uri(name))
    if not place.is_dir():
        return pl.DataFrame()
    frame = pl.read_delta(str(place))
    if tenant is not None:
        frame = frame.filter(pl.col("tenant_id") == tenant)
    if on is not None:
        frame = frame.filter(pl.col("date") == on)
    kept = sorted(column for column in frame.columns if column not in VOLATILE)
    plain = [c for c in kept if not frame.schema[c].is_nested()]
    return frame.select(kept).sort(plain, nulls_last=True, maintain_order=True)


def contents(house: Lakehouse) -> dict[str, pl.DataFrame]:
    """Every table, quarantine and the ledger."""
    names = [*house.tables, *(name.quarantine for name in house.tables), house.ledger.name]
    return {str(name): frame for name in names if not (frame := rows_of(house, name)).is_empty()}


def live_files(house: Lakehouse, name: TableName) -> dict[Partition, set[str]]:
    """The files that hold each partition."""
    files: dict[Partition, set[str]] = {}
    for path, tenant, on in house.lake.files(name).select("path", "tenant_id", "date").iter_rows():
        files.setdefault(Partition(tenant, on), set()).add(path)
    return files


def versions(house: Lakehouse) -> dict[TableName, int]:
    """The version of every table, quarantine and register."""
    names = [*TABLES, *(name.quarantine for name in TABLES), house.ledger.name, house.files.name]
    return {name: opened.version() for name in names if (opened := house.lake.open(name))}


def numbers(partitions: Iterable[Partition], tenant: str = "acme") -> list[int]:
    return sorted((on - START).days + 1 for who, on in partitions if who == tenant)


def told(build: dict[TableName, set[Partition]], tenant: str = "acme") -> dict[TableName, list[int]]:
    """The days, by number, of each table in a plan."""
    return {name: days for name, found in build.items() if (days := numbers(found, tenant))}
