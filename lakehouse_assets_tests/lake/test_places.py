"""Landing zone and lake may lie in folders of any name, whatever patterns it looks like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.lake.catalog import connect
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.maintenance import compact, stored_tables, vacuum
from lakehouse_assets.settings import Settings
from lakehouse_assets_tests.lake.toy import (
    GAUGES,
    LEVELS,
    READINGS,
    S_READINGS,
    TABLES,
    day,
    gauge,
    house_at,
    land,
    reading,
    settle_plan,
)

# As a pattern, two of them would be `abc` too.
FOLDERS = ["it's Müller's #1 & {a,b}", "a[b]*", "a?c", "tenant_id=z"]


def readings(house: Lakehouse) -> list[tuple[object, ...]]:
    """The cleaned readings, all dates at once."""
    dates = [day(1), day(2)]
    rows = house.lake.scan(S_READINGS, TABLES[S_READINGS].schema, tenants=["acme"], dates=dates)
    return rows.select("reading_id", "tenant_id", "date", "_source_file").sort("reading_id").collect().rows()


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_lake_in_a_folder_of_any_name_is_built_read_and_maintained(tmp_path: Path, folder: str) -> None:
    root, decoy = tmp_path / folder, tmp_path / "abc"
    land(decoy, "acme", READINGS, day(1), "a.csv", [reading(8, day(1))])
    settle_plan(house_at(decoy), day(1), day(2))
    land(root, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    land(root, "acme", GAUGES, day(1), "a.csv", [gauge(1)])
    settle_plan(house_at(root), day(1), day(2))
    land(root, "acme", READINGS, day(2), "b.csv", [reading(2, day(2)), reading(3, day(1), gauge=3)])
    house = house_at(root)
    assert S_READINGS in settle_plan(house, day(1), day(2))
    named = [("r1", 1, 1, "a"), ("r2", 2, 2, "b"), ("r3", 1, 2, "b")]
    expected = [
        (who, "acme", day(on), f"acme/lake/readings/{day(landed)}/{name}.csv") for who, on, landed, name in named
    ]
    assert readings(house) == expected
    assert not settle_plan(house_at(root), day(1), day(2)), "the ledger is read as it was written"
    compact(house, stored_tables(house))
    vacuum(house, stored_tables(house), hours=0)
    assert readings(house_at(root)) == expected
    with connect(house.lake.root, [S_READINGS, LEVELS], tenant="acme") as connection:
        told = connection.execute("SELECT reading_id, tenant_id, date FROM lake.silver.readings ORDER BY 1").fetchall()
    assert told == [row[:3] for row in expected]


@pytest.mark.parametrize(
    ("folder", "name"), [("100%20 \\n", "a*c"), ("a[b]*", "a%20b"), ("tenant_id=z", "date=2025-01-01")]
)
def test_files_are_landed_in_a_folder_of_any_name_under_any_name(tmp_path: Path, folder: str, name: str) -> None:
    place = tmp_path / folder
    for number, file in enumerate((f"{name}.csv", "abc.csv", "a b.csv"), start=1):
        land(place, "acme", READINGS, day(1), file, [reading(number, day(1), gauge=number)])
    columns = {column: str(value) for column, value in reading(4, day(1), gauge=4).items()}
    pl.DataFrame([columns]).write_parquet(place / f"landing/acme/lake/readings/{day(1)}/{name}.parquet")
    house = replace(house_at(tmp_path / "plain"), landing=Landing(str(place / "landing")))
    settle_plan(house, day(1), day(1))
    assert [row[0] for row in readings(house)] == ["r1", "r2", "r3", "r4"]


@pytest.mark.parametrize("folder", [*FOLDERS, "100%", "a\\b"])
def test_settings_take_any_folder_to_land_in(tmp_path: Path, folder: str) -> None:
    place = str(tmp_path / folder)
    assert Settings.from_environment({"LAKEHOUSE_LANDING": place}).landing == place


@pytest.mark.parametrize("folder", FOLDERS)
def test_settings_take_folders_that_look_like_patterns_for_the_lake(tmp_path: Path, folder: str) -> None:
    place = str(tmp_path / folder)
    assert Settings.from_environment({"LAKEHOUSE_ROOT": place}).root == place
