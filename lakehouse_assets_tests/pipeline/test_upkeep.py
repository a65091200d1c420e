"""The nightly upkeep: small files are merged and rows stay, but for those whose layer is kept no longer."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from lakehouse_assets.house import open_house
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.maintenance import stored_tables
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.upkeep import upkeep, upkeep_schedule
from lakehouse_assets_tests.pipeline.crm_landings import build_all, contents, land

CUSTOMERS = TableName("crm", "silver", "customers_clean")
FIRST = date(2026, 1, 5)


def stored_files(house: Lakehouse) -> int:
    """Live files of all tables."""
    return sum(house.lake.files(name).height for name in stored_tables(house))


def test_a_partition_of_several_files_is_merged_and_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(tmp_path / "lake"))
    for n in range(2):
        land(tmp_path / "landing", "acme", "customers", FIRST + timedelta(days=n), "a.csv", [{"customer_id": f"c{n}"}])
    house = open_house()
    build_all(house, FIRST, FIRST + timedelta(days=1), selected=[CUSTOMERS])
    before, files = contents(house), stored_files(house)
    rows = pl.read_delta(house.lake.uri(CUSTOMERS)).filter(pl.col("date") == FIRST)
    # As another program might: a second file in a partition.
    rows.clear().vstack(rows).write_delta(house.lake.uri(CUSTOMERS), mode="append")
    with dg.DagsterInstance.ephemeral() as instance:
        result = upkeep.execute_in_process(instance=instance)
    (output,) = [event.step_output_data for event in result.all_events if event.is_successful_output]
    figures = {name: entry.value for name, entry in output.metadata.items()}
    merged = {name: figures[name] for name in ("partitions_compacted", "files_before", "files_after")}
    assert merged == {"partitions_compacted": 1, "files_before": files + 1, "files_after": files}
    assert stored_files(open_house()) == files
    after = contents(open_house())
    assert after.keys() == before.keys()
    assert after[str(CUSTOMERS)].height == before[str(CUSTOMERS)].height + rows.height


@pytest.mark.parametrize("setting", ["", "silver=7d"])
def test_what_has_outlived_its_layer_goes_where_the_settings_say_how_long_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("LAKEHOUSE_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(tmp_path / "lake"))
    monkeypatch.setenv("LAKEHOUSE_RETENTION", setting)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    land(tmp_path / "landing", "acme", "customers", FIRST, "a.csv", [{"customer_id": "c1"}])
    house = open_house()
    for day in (FIRST, yesterday):
        build_all(house, day, day, selected=[CUSTOMERS])
    with dg.DagsterInstance.ephemeral() as instance:
        assert upkeep.execute_in_process(instance=instance).success
    dates = house.lake.files(CUSTOMERS)["date"].unique().sort().to_list()
    assert dates == ([yesterday] if setting else [FIRST, yesterday])


def test_it_runs_every_night_after_the_tables() -> None:
    schedule = upkeep_schedule()
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 5 * * *", "UTC")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
