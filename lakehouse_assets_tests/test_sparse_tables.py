"""Sparse tables: what says that it makes nothing of nothing does."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.house import tables
from lakehouse_assets.lake.live_files import PARTITION_SCHEMA
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, Window
from lakehouse_assets.lake.plan import make_plan, plan_of_landings
from lakehouse_assets_tests.lake.toy import B_READINGS, READINGS, day, house_at, land, reading, settle_plan, told
from lakehouse_assets_tests.pipeline.crm_landings import build_all
from lakehouse_assets_tests.pipeline.crm_landings import house_at as crm_house

SPARSE = [name for name, table in tables().items() if table.sparse]
S_READINGS = TableName("lake", "silver", "readings")


@pytest.mark.parametrize("name", SPARSE, ids=str)
def test_nothing_comes_of_nothing(name: TableName) -> None:
    table = tables()[name]
    assert table.function is not None
    arguments: dict[str, Any] = {
        parameter: pl.LazyFrame(schema={**tables()[given.table].schema, **PARTITION_SCHEMA})
        for parameter, given in table.inputs.items()
    }
    if "window" in inspect.signature(table.function).parameters:
        arguments["window"] = Window("acme", date(2026, 1, 5), date(2026, 1, 6))
    if "earlier" in inspect.signature(table.function).parameters:
        arguments["earlier"] = pl.LazyFrame(schema={**table.schema, **PARTITION_SCHEMA})
    assert table.function(**arguments).collect().is_empty()


def test_no_reader_waits_for_dates_without_anything(tmp_path: Path) -> None:
    landed_on = date(2026, 3, 2)
    folder = tmp_path / "landing" / "acme" / "commerce" / "transactions" / str(landed_on)
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(f"transaction_id,amount,transaction_date\nt1,2.50,{landed_on}\n")
    house = replace(crm_house(tmp_path / "landing", tmp_path / "lake"), tables=tables())
    features = TableName("commerce", "gold", "ml_customer_features")
    plan = make_plan(house, [features], ["acme"], landed_on, landed_on)
    assert plan.build[features] == {Partition("acme", landed_on)}
    assert {len(partitions) for partitions in plan.build.values()} == {0, 1}


def test_bulk_history_of_scattered_dates_is_one_stretch(tmp_path: Path) -> None:
    land(tmp_path, "acme", READINGS, day(90), "a.csv", [reading(n, day(n * 9)) for n in range(1, 10)])
    house = house_at(tmp_path)
    plan = plan_of_landings(house, ["acme"])
    found = told(plan.build)[S_READINGS]
    assert found == list(range(9, 91))
    assert told(plan.build)[B_READINGS] == [90]
    settle_plan(house, day(9), day(90))
    assert plan_of_landings(house, ["acme"]).is_empty


def test_crm_makes_something_of_nothing(tmp_path: Path) -> None:
    # A day without sales is a row; a table that says so must not be called sparse.
    house = crm_house(tmp_path / "landing", tmp_path / "lake")
    (tmp_path / "landing" / "acme" / "crm").mkdir(parents=True)
    sales = TableName("crm", "gold", "sales_summary")
    build_all(house, date(2026, 1, 5), date(2026, 1, 5), ["acme"], [sales])
    assert pl.read_delta(house.lake.uri(sales)).height == 1
    assert sales not in SPARSE
