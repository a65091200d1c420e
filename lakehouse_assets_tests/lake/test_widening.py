"""A table whose contract has got columns is widened by whoever writes to it first, also where several do at once."""

from __future__ import annotations

import multiprocessing as mp
from datetime import date
from multiprocessing.synchronize import Barrier
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.storage import Lake, replacing

NAME = TableName("x", "gold", "t")
NARROW: dict[str, pl.DataType] = {"tenant_id": pl.String(), "date": pl.Date(), "v": pl.Int64()}
WRITERS = 4
ROUNDS = 3


def widened(number: int, *, alike: bool) -> dict[str, pl.DataType]:
    """The schema that a writer wants: the same new columns as the others, or one of its own beside them."""
    return {**NARROW, "first": pl.String(), "second": pl.Float64()} | ({} if alike else {f"own_{number}": pl.Int64()})


def write(root: str, number: int, alike: bool, start: Barrier) -> None:
    """Widen a table in each round, all writers at one moment, and add a row to it."""
    for turn in range(ROUNDS):
        lake, schema = Lake(f"{root}/{turn}"), widened(number, alike=alike)
        lake.open(NAME)
        start.wait(timeout=30)
        lake.ensure(NAME, schema)
        sink = lake.sink(NAME)
        row = {name: [None] for name in schema} | {"tenant_id": [f"t{number}"], "date": [date(2025, 1, 1)], "v": [turn]}
        pl.collect_all([sink.of(pl.LazyFrame(row, schema=schema))])
        lake.commit(NAME, lake.describe(sink, schema), replaces=replacing(tenant_id=[f"t{number}"]), receipt={})


@pytest.mark.parametrize("alike", [True, False])
def test_processes_that_widen_a_table_at_once_all_write(tmp_path: Path, alike: bool) -> None:
    for turn in range(ROUNDS):
        Lake(str(tmp_path / str(turn))).ensure(NAME, NARROW)
    context = mp.get_context("spawn")
    start = context.Barrier(WRITERS)
    writers = [context.Process(target=write, args=(str(tmp_path), n, alike, start)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    wanted = NARROW
    for number in range(WRITERS):
        wanted = wanted | widened(number, alike=alike)
    for turn in range(ROUNDS):
        lake = Lake(str(tmp_path / str(turn)))
        opened = lake.open(NAME)
        assert opened is not None
        assert {field.name for field in opened.schema().fields} == set(wanted)
        rows = lake.scan_files(NAME, wanted, lake.files(NAME)["path"].to_list()).collect()
        assert sorted(rows["tenant_id"]) == [f"t{n}" for n in range(WRITERS)]
        assert rows["v"].to_list() == [turn] * WRITERS
