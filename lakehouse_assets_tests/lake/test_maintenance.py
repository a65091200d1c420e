"""Upkeep changes how a table is stored and never what it says; a reset takes out what it was asked to, and no more."""

from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import LANDING_FILES, LEDGER
from lakehouse_assets.lake.live_files import PARTITION_SCHEMA
from lakehouse_assets.lake.maintenance import compact, reset, stored_tables, vacuum
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.receipts import compare, from_receipts
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.storage import replacing
from lakehouse_assets_tests.lake.small_lake import (
    BRONZE_CUSTOMERS,
    CHANNELS,
    CUSTOMERS,
    INTERACTIONS,
    NOW,
    OLD,
    TABLES,
    TODAY,
    build_spans,
    built_lake,
    carry_out,
    land_all,
    live_files,
    rows,
    small_house,
)

DAY_SECONDS = 86_400


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    return built_lake(tmp_path)


def _scatter(house: Lakehouse, name: TableName, tenant: str, day: date) -> None:
    """Split a partition into one file a row."""
    schema = house.table(name).schema
    held = house.lake.scan(name, schema, tenants=[tenant], dates=[day]).collect()
    added = []
    for row in held.iter_slices(1):
        sink = house.lake.sink(name)
        pl.collect_all([sink.of(row.lazy())])
        added += house.lake.describe(sink, schema)
    house.lake.commit(name, added, replaces=replacing(tenant_id=[tenant], date=[day]), receipt={})


def test_compacting_merges_the_files_of_a_partition_and_no_row_changes(house: Lakehouse) -> None:
    _scatter(house, CUSTOMERS, "acme", OLD)
    before, files = rows(house, CUSTOMERS), live_files(house, CUSTOMERS)
    assert len(files[Partition("acme", OLD)]) == 3

    done = compact(house, [CUSTOMERS])

    after = live_files(house, CUSTOMERS)
    assert [len(paths) for paths in after.values()] == [1] * len(files)
    assert (done[0].partitions, done[0].files_before - done[0].files_after) == (1, 2)
    assert_frame_equal(rows(house, CUSTOMERS), before)
    untouched = {partition: paths for partition, paths in files.items() if partition != Partition("acme", OLD)}
    assert {partition: after[partition] for partition in untouched} == untouched


def test_compacted_partitions_are_still_read_and_replaced_by_name(house: Lakehouse) -> None:
    _scatter(house, CUSTOMERS, "acme", NOW)
    compact(house, [CUSTOMERS])
    path = live_files(house, CUSTOMERS)[Partition("acme", NOW)][0]
    assert path.startswith(f"tenant_id=acme/date={NOW}/")
    schema = house.table(CUSTOMERS).schema
    found = house.lake.scan(CUSTOMERS, schema, tenants=["acme"], dates=[NOW]).collect()
    assert sorted(found["customer_id"]) == ["c1", "c2"]
    before = rows(house, CUSTOMERS)
    assert not build(house, CUSTOMERS, [Partition("acme", NOW)], "again").failed
    assert_frame_equal(rows(house, CUSTOMERS), before)
    assert live_files(house, CUSTOMERS)[Partition("acme", NOW)] != [path]


def test_compacting_writes_a_checkpoint_of_every_table(house: Lakehouse) -> None:
    names = stored_tables(house)
    assert {LEDGER, LANDING_FILES, INTERACTIONS.quarantine, *TABLES} <= set(names)
    compact(house, names)
    for name in names:
        log = Path(house.lake.uri(name)) / "_delta_log"
        opened = house.lake.open(name)
        assert opened is not None
        assert (log / f"{opened.version():020}.checkpoint.parquet").is_file(), name


def test_nothing_becomes_stale_by_upkeep(house: Lakehouse) -> None:
    _scatter(house, INTERACTIONS, "acme", NOW)
    compact(house, stored_tables(house))
    vacuum(house, stored_tables(house), hours=1)
    plan = make_plan(house, list(house.tables), None, NOW, TODAY)
    assert plan.is_empty
    assert not any(plan.stale_downstream.values())


def test_vacuum_deletes_what_dead_writers_left_and_spares_the_living(house: Lakehouse) -> None:
    folder = Path(house.lake.uri(CUSTOMERS)) / "tenant_id=acme" / f"date={OLD}"
    dead, young = folder / "dead.parquet", folder / "young.parquet"
    for orphan in (dead, young):
        orphan.write_bytes(b"of a writer that never committed")
    os.utime(dead, (time.time() - 8 * DAY_SECONDS,) * 2)
    before = rows(house, CUSTOMERS)

    assert [one.paths for one in vacuum(house, [CUSTOMERS], dry_run=True)] == [
        [f"tenant_id=acme/date={OLD}/dead.parquet"]
    ]
    assert dead.exists()
    vacuum(house, [CUSTOMERS])

    assert (dead.exists(), young.exists()) == (False, True)
    assert_frame_equal(rows(house, CUSTOMERS), before)


def test_vacuum_frees_replaced_files_when_their_time_has_passed(house: Lakehouse) -> None:
    (replaced,) = live_files(house, CUSTOMERS)[Partition("acme", OLD)]
    build(house, CUSTOMERS, [Partition("acme", OLD)], "again")
    assert vacuum(house, [CUSTOMERS])[0].paths == []
    assert vacuum(house, [CUSTOMERS], hours=0)[0].paths == [replaced]
    assert not (Path(house.lake.uri(CUSTOMERS)) / replaced).exists()


@pytest.mark.parametrize("name", [BRONZE_CUSTOMERS, CUSTOMERS, CHANNELS])
def test_a_table_that_was_reset_is_built_anew_with_the_same_rows(house: Lakehouse, name: TableName) -> None:
    before = {table: rows(house, table) for table in (name, name.quarantine)}
    entries = house.ledger.read(tables=[name]).height

    done = reset(house, name)

    assert (done.tenants, done.rows) == (["acme", "globex"], before[name].height)
    assert rows(house, name).is_empty()
    assert rows(house, name.quarantine).is_empty()
    assert house.ledger.read(tables=[name]).is_empty()
    assert house.files.read(tables=[name]).is_empty()
    assert {n for n, partitions in make_plan(house, [name], None, NOW, NOW).build.items() if partitions} == {name}
    build_spans(house, [name])
    for table, frame in before.items():
        assert_frame_equal(rows(house, table), frame)
    assert house.ledger.read(tables=[name]).height == entries


def test_a_reset_of_one_tenant_leaves_the_others_alone(house: Lakehouse) -> None:
    files = live_files(house, CUSTOMERS)
    others = {partition: paths for partition, paths in files.items() if partition.tenant_id == "globex"}
    done = reset(house, CUSTOMERS, ["acme"])
    assert (done.tenants, done.partitions) == (["acme"], len(files) - len(others))
    assert live_files(house, CUSTOMERS) == others
    assert house.ledger.read(tables=[CUSTOMERS])["tenant_id"].unique().to_list() == ["globex"]
    build_spans(house)
    assert set(live_files(house, CUSTOMERS)) == set(files)


def test_a_reset_takes_the_types_of_todays_contract(tmp_path: Path) -> None:
    house = small_house(tmp_path)
    house.lake.ensure(CUSTOMERS, {**house.table(CUSTOMERS).schema, "employee_count": pl.String(), **PARTITION_SCHEMA})
    failed = build(house, CUSTOMERS, [Partition("acme", NOW)], "test").failed
    assert f"maintain reset {CUSTOMERS}" in failed[Partition("acme", NOW)]
    reset(house, CUSTOMERS)
    land_all(house)
    carry_out(house, make_plan(house, [CUSTOMERS], ["acme"], NOW, NOW))
    assert rows(house, CUSTOMERS).schema["employee_count"] == pl.Int64()


def test_the_ledger_can_be_told_from_receipts_after_a_reset(house: Lakehouse) -> None:
    reset(house, CUSTOMERS, ["acme"])
    reset(house, INTERACTIONS)
    told = from_receipts(house)
    assert compare(house, told).is_empty
    assert told.height == house.ledger.read().height


def test_what_no_one_declares_cannot_be_reset(house: Lakehouse) -> None:
    with pytest.raises(SelectionError, match=r"there is no table crm\.gold\.nothing"):
        reset(house, TableName("crm", "gold", "nothing"))
