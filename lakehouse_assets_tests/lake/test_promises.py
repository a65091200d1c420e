"""A table function that returns something else than its contract promises is told so before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.lake.contract import reject, rules_of
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window
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
    build_tables,
    cells,
    day,
    gauge,
    house_at,
    land,
    reading,
    versions,
    with_function,
)

type_of_change = Callable[[pl.LazyFrame], Any]


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One lake for all: nothing that is refused here leaves anything behind."""
    tmp_path = tmp_path_factory.mktemp("lake")
    land(tmp_path, "acme", GAUGES, day(1), "a.csv", [gauge(1)])
    land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    build_tables(house_at(tmp_path), [B_GAUGES, B_READINGS, S_GAUGES, S_READINGS], cells("acme", day(1)))
    return tmp_path


def without(*names: str) -> type_of_change:
    return lambda frame: frame.drop(*names)


def told(root: Path, name: TableName, function: Callable[..., Any]) -> str:
    """Why the table was not built; nothing was written."""
    house = house_at(root, tables=with_function(name, function))
    before = versions(house)
    (why,) = build(house, name, cells("acme", day(1)), "run").failed.values()
    assert versions(house) == before
    return why


ANYWHERE = [
    pytest.param(lambda frame: frame.collect(), "returns a DataFrame, not a LazyFrame", id="computed"),
    pytest.param(lambda _: None, "returns a NoneType, not a LazyFrame", id="nothing"),
    pytest.param(lambda frame: frame.select("nonsense"), "the function cannot run: .*nonsense", id="no such input"),
    pytest.param(without("date"), "the function gives no column 'date'", id="no date"),
    pytest.param(without("gauge_id"), "the function gives no column 'gauge_id'", id="no key"),
    pytest.param(
        lambda frame: frame.with_columns(date=pl.lit("soon")), "date is String, the contract says Date", id="no dates"
    ),
]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *ANYWHERE,
        pytest.param(without("readings"), "the function gives no column 'readings'", id="no judged column"),
        pytest.param(
            lambda frame: frame.with_columns(readings=pl.lit("many")),
            "levels.readings is String, the contract says Int64",
            id="a judged column of another type",
        ),
    ],
)
def test_a_computed_table_is_refused_with_its_column(landed: Path, change: type_of_change, message: str) -> None:
    def gold_levels(silver_gauges: pl.LazyFrame, silver_readings: pl.LazyFrame, window: Window) -> Any:
        return change(toy.gold_levels(silver_gauges, silver_readings, window))

    why = told(landed, LEVELS, gold_levels)
    assert why.startswith("ComputationError: lake.gold.levels")
    assert re.search(message, why)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *ANYWHERE,
        pytest.param(without("height"), "the function gives no column 'height'", id="no judged column"),
        pytest.param(without("raw:height"), "the function gives no column 'raw:height'", id="no raw text"),
        pytest.param(without("_deleted"), "the function gives no column '_deleted'", id="no deletes"),
        pytest.param(without("_source_file"), "the function gives no column '_source_file'", id="no file"),
        pytest.param(
            lambda frame: frame.with_columns(height=pl.lit("high")),
            "gauges.height is String, the contract says Float64",
            id="a judged column of another type",
        ),
    ],
)
def test_a_cleaned_table_is_refused_with_its_column(landed: Path, change: type_of_change, message: str) -> None:
    def silver_gauges(bronze_gauges: pl.LazyFrame) -> Any:
        return change(toy.silver_gauges(bronze_gauges))

    why = told(landed, S_GAUGES, silver_gauges)
    assert why.startswith("ComputationError: lake.silver.gauges")
    assert re.search(message, why)


def test_a_cleaned_event_needs_its_business_date(landed: Path) -> None:
    def silver_readings(bronze_readings: pl.LazyFrame) -> pl.LazyFrame:
        return toy.silver_readings(bronze_readings).drop("_business_date")

    assert "the function gives no column '_business_date'" in told(landed, S_READINGS, silver_readings)


def test_a_column_that_only_a_rule_reads_is_named_with_the_rule(landed: Path) -> None:
    class Judged(toy.Levels):
        """One row per gauge."""

        @reject
        def drained(cls) -> pl.Expr:
            """The lake is gone."""
            return pl.col("depth") > 0

    rules = {"rules": tuple(rules_of(Judged)), "contract": Judged}
    house = house_at(landed, tables=with_function(LEVELS, toy.gold_levels, **rules))
    (why,) = build(house, LEVELS, cells("acme", day(1)), "run").failed.values()
    assert why == "ComputationError: lake.gold.levels: the function gives no column 'depth', which rule drained reads"
