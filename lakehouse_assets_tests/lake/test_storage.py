"""A write replaces exactly its partitions, whoever else writes; a reader opens exactly what it asks for."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.lake import storage
from lakehouse_assets.lake.errors import LostRaceError, StorageError
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.sink import Written
from lakehouse_assets.lake.storage import RECEIPT, Lake, replacing
from lakehouse_assets_tests.lake.toy import day

NAME = TableName("lake", "gold", "depths")
SCHEMA = {"tenant_id": pl.String(), "date": pl.Date(), "value": pl.Int64()}
TENANTS = ("acme", "acme2", "globex")
DATES = tuple(day(number) for number in range(1, 5))

type_of_rows = Mapping[Partition, Collection[int]]


def lake_at(folder: Path) -> Lake:
    lake = Lake(str(folder))
    lake.ensure(NAME, SCHEMA)
    return lake


def written(lake: Lake, rows: type_of_rows) -> list[Written]:
    """The files of a write that is not committed yet."""
    records = [(tenant, on, value) for (tenant, on), values in rows.items() for value in values]
    frame = pl.LazyFrame(records, schema=SCHEMA, orient="row")
    sink = lake.sink(NAME)
    pl.collect_all([sink.of(frame)])
    return lake.describe(sink, SCHEMA, ["value"])


def write(
    lake: Lake, tenant: str, dates: Collection[date], rows: Mapping[date, Collection[int]], receipt: object = None
) -> int:
    added = written(lake, {Partition(tenant, on): values for on, values in rows.items()})
    return lake.commit(NAME, added, replaces=replacing(tenant_id=[tenant], date=dates), receipt={"of": receipt})


def held(folder: Path) -> dict[Partition, list[int]]:
    """What any reader of Delta finds."""
    frame = pl.read_delta(str(folder / NAME.path)).group_by("tenant_id", "date").agg(pl.col("value").sort())
    return {
        Partition(tenant, on): values for tenant, on, values in frame.select("tenant_id", "date", "value").iter_rows()
    }


def files(folder: Path) -> dict[Partition, set[str]]:
    """The live files of every partition, as the log has them, with all that it says of them."""
    actions = pl.DataFrame(DeltaTable(str(folder / NAME.path)).get_add_actions(flatten=True))
    found: dict[Partition, set[str]] = {}
    for row in actions.iter_rows(named=True):
        partition = Partition(row["partition.tenant_id"], row["partition.date"])
        found.setdefault(partition, set()).add(json.dumps(row, default=str))
    return found


WRITES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(TENANTS),
        st.dictionaries(st.sampled_from(DATES), st.lists(st.integers(0, 9), max_size=3), min_size=1),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=12)
@given(WRITES)
def test_a_write_replaces_its_partitions_and_leaves_the_files_of_all_others(
    writes: list[tuple[int, str, dict[date, list[int]]]],
) -> None:
    """Two writers take turns; what either writes is what both find."""
    folder = Path(tempfile.mkdtemp())
    lakes = (lake_at(folder), lake_at(folder))
    model: dict[Partition, list[int]] = {}
    try:
        for who, tenant, rows in writes:
            before = files(folder)
            write(lakes[who], tenant, rows.keys(), rows)
            asked = {Partition(tenant, on) for on in rows}
            model |= {partition: sorted(rows[partition.date]) for partition in asked}
            after = files(folder)
            assert {p: f for p, f in after.items() if p not in asked} == {
                p: f for p, f in before.items() if p not in asked
            }
            assert held(folder) == {partition: values for partition, values in model.items() if values}
            assert not any(after.get(p, set()) & before.get(p, set()) for p in asked), "files are written, never reused"
    finally:
        shutil.rmtree(folder)


def test_an_emptied_partition_is_empty(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    write(lake, "acme", DATES[:2], {DATES[0]: [1], DATES[1]: [2]})
    write(lake, "acme", DATES[:1], {})
    assert held(tmp_path) == {Partition("acme", DATES[1]): [2]}


def test_a_commit_of_nothing_still_leaves_its_receipt(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    version = write(lake, "acme", DATES, {}, receipt="nothing")
    (newest,) = DeltaTable(str(tmp_path / NAME.path)).history(1)
    assert (newest["version"], json.loads(newest[RECEIPT])) == (version, {"of": "nothing"})


def test_what_was_written_and_not_committed_is_not_there(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    write(lake, "acme", DATES[:1], {DATES[0]: [1]})
    assert written(lake, {Partition("acme", DATES[0]): [7]})
    assert held(tmp_path) == {Partition("acme", DATES[0]): [1]}


@contextmanager
def together(number: int) -> Any:
    """Makes so many writers open the same version before any of them commits."""
    barrier, arrived = threading.Barrier(number), threading.local()

    def meeting(removed: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[pl.DataFrame], pl.DataFrame]:
        def found(files: pl.DataFrame) -> pl.DataFrame:
            if not getattr(arrived, "once", False):
                arrived.once = True
                barrier.wait(timeout=60)
            return removed(files)

        return found

    yield meeting


@pytest.mark.parametrize("seed", [pytest.param({}, id="first"), pytest.param({DATES[0]: [100]}, id="later")])
def test_of_writers_of_one_partition_one_stands_and_none_doubles(tmp_path: Path, seed: dict[date, list[int]]) -> None:
    write(lake_at(tmp_path), "acme", DATES[:1], seed)
    with together(4) as meeting, ThreadPoolExecutor(4) as pool:

        def one(number: int) -> int:
            lake = lake_at(tmp_path)
            added = written(lake, {Partition("acme", DATES[0]): [number, number]})
            removed = meeting(replacing(tenant_id=["acme"], date=DATES[:1]))
            return lake.commit(NAME, added, replaces=removed, receipt={"of": number})

        versions = list(pool.map(one, range(4)))
    assert len(set(versions)) == 4, "every acknowledged commit is a version of its own"
    last = versions.index(max(versions))
    assert held(tmp_path) == {Partition("acme", DATES[0]): [last, last]}


def test_writers_of_other_partitions_lose_nothing(tmp_path: Path) -> None:
    lake_at(tmp_path)
    with together(4) as meeting, ThreadPoolExecutor(4) as pool:

        def one(number: int) -> int:
            lake, on = lake_at(tmp_path), DATES[number]
            added = written(lake, {Partition("acme", on): [number]})
            removed = meeting(replacing(tenant_id=["acme"], date=[on]))
            return lake.commit(NAME, added, replaces=removed, receipt={"of": number})

        versions = dict(zip(pool.map(one, range(4)), range(4), strict=True))
    assert held(tmp_path) == {Partition("acme", DATES[number]): [number] for number in range(4)}
    receipts = {
        commit["version"]: json.loads(commit[RECEIPT])["of"]
        for commit in DeltaTable(str(tmp_path / NAME.path)).history()
        if RECEIPT in commit
    }
    assert receipts == versions


def test_a_writer_that_always_loses_gives_up_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "COMMIT_ATTEMPTS", 3)
    lake, rival = lake_at(tmp_path), lake_at(tmp_path)
    tries: list[int] = []

    def outrun(files: pl.DataFrame) -> pl.DataFrame:
        tries.append(write(rival, "globex", DATES[:1], {DATES[0]: [len(tries)]}))
        return replacing(tenant_id=["acme"], date=DATES[:1])(files)

    added = written(lake, {Partition("acme", DATES[0]): [1]})
    with pytest.raises(StorageError, match=r"lake\.gold\.depths: 3 commits lost"):
        lake.commit(NAME, added, replaces=outrun, receipt={})
    assert len(tries) == 3
    assert held(tmp_path) == {Partition("globex", DATES[0]): [2]}


def test_a_commit_on_an_old_version_is_a_lost_race(tmp_path: Path) -> None:
    lake, rival = lake_at(tmp_path), lake_at(tmp_path)
    live = lake.files(NAME)
    write(rival, "acme", DATES[:1], {DATES[0]: [1]})
    with pytest.raises(LostRaceError):
        lake.commit_on(NAME, [], live, {})


def test_columns_that_are_added_at_once_are_all_there(tmp_path: Path) -> None:
    lake_at(tmp_path)
    names = [f"added_{number}" for number in range(4)]
    ready = threading.Barrier(len(names))

    def add(name: str) -> None:
        mine = lake_at(tmp_path)
        ready.wait()
        mine.ensure(NAME, SCHEMA | {name: pl.Int64()})

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(add, names))
    opened = Lake(str(tmp_path)).open(NAME)
    assert opened is not None
    assert {field.name for field in opened.schema().fields} == {*SCHEMA, *names}


def test_a_reader_opens_the_partitions_that_it_asks_for_and_no_others(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    for tenant in TENANTS:
        write(lake, tenant, DATES, {on: [number] for number, on in enumerate(DATES)})
    for path in lake.files(NAME).filter((pl.col("tenant_id") != "acme") | ~pl.col("date").is_in(DATES[1:3]))["path"]:
        (tmp_path / NAME.path / path).unlink()
    found = lake.scan(NAME, SCHEMA, tenants=["acme"], dates=DATES[1:3]).collect()
    assert sorted(found.select("tenant_id", "date", "value").rows()) == [("acme", DATES[1], 1), ("acme", DATES[2], 2)]
    assert found.schema == pl.Schema({"value": pl.Int64(), "tenant_id": pl.String(), "date": pl.Date()})


@pytest.mark.parametrize("dates", [[], [day(20)]], ids=["no dates", "a date that no one wrote"])
def test_what_is_not_there_reads_as_no_rows_of_the_right_types(tmp_path: Path, dates: list[date]) -> None:
    nothing = Lake(str(tmp_path / "new"))
    assert nothing.open(NAME) is None
    assert nothing.files(NAME).is_empty()
    lake = lake_at(tmp_path)
    write(lake, "acme", DATES[:1], {DATES[0]: [1]})
    for one in (nothing, lake):
        found = one.scan(NAME, SCHEMA, tenants=["acme"], dates=dates).collect()
        assert found.is_empty()
        assert found.schema == pl.Schema({"value": pl.Int64(), "tenant_id": pl.String(), "date": pl.Date()})


def test_a_new_column_is_null_in_what_was_written_before(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    write(lake, "acme", DATES[:1], {DATES[0]: [1]})
    wider = {**SCHEMA, "name": pl.String()}
    lake.ensure(NAME, wider)
    assert lake.scan(NAME, wider, tenants=["acme"], dates=DATES).collect()["name"].to_list() == [None]
    assert pl.read_delta(str(tmp_path / NAME.path)).columns == ["tenant_id", "date", "value", "name"]
    assert held(tmp_path) == {Partition("acme", DATES[0]): [1]}


def test_a_column_that_changes_its_type_is_refused_by_name(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    with pytest.raises(StorageError, match=r"lake\.gold\.depths holds \['value'\] with another type.*reset"):
        lake.ensure(NAME, {**SCHEMA, "value": pl.String()})


def test_a_commit_to_a_table_that_was_never_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"lake\.gold\.depths is not at"):
        Lake(str(tmp_path)).commit(NAME, [], replaces=replacing(), receipt={})


def test_a_broken_log_is_an_error_that_names_the_table(tmp_path: Path) -> None:
    lake_at(tmp_path)
    (tmp_path / NAME.path / "_delta_log" / f"{0:020d}.json").write_text("{broken")
    with pytest.raises(StorageError, match=r"lake\.gold\.depths"):
        Lake(str(tmp_path)).open(NAME)


@pytest.mark.parametrize("folder", ["a folder with spaces", "Ärger & Söhne", "q?x", "a*b"])
def test_the_lake_may_lie_in_a_folder_of_any_such_name(tmp_path: Path, folder: str) -> None:
    lake = lake_at(tmp_path / folder)
    write(lake, "acme", DATES[:2], {DATES[0]: [1], DATES[1]: [2]})
    write(lake, "acme", DATES[:1], {DATES[0]: [3]})
    found = lake.scan(NAME, SCHEMA, tenants=["acme"], dates=DATES).collect()
    assert sorted(found.select("date", "value").rows()) == [(DATES[0], 3), (DATES[1], 2)]


def test_a_file_says_its_rows_and_the_bounds_that_prune(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    (one,) = written(lake, {Partition("acme", DATES[0]): [3, 1, 2]})
    assert one.partition == {"tenant_id": "acme", "date": DATES[0].isoformat()}
    assert one.size_bytes == (tmp_path / NAME.path / one.path).stat().st_size
    assert one.statistics == {
        "numRecords": 3,
        "minValues": {"value": 1},
        "maxValues": {"value": 3},
        "nullCount": {"value": 0},
    }


@pytest.mark.parametrize(
    ("dtype", "values", "bounds"),
    [
        pytest.param(pl.Date(), [day(2), day(1), None], ("2025-01-01", "2025-01-02"), id="dates"),
        pytest.param(
            pl.Datetime("us", "UTC"), [datetime(2025, 1, 1, tzinfo=UTC)], ("2025-01-01T00:00:00+00:00",) * 2, id="times"
        ),
        pytest.param(pl.String(), ["b", "a"], ("a", "b"), id="texts"),
        pytest.param(pl.String(), ["b", "x" * 65], None, id="texts too long for a log"),
        pytest.param(pl.Int64(), [None, None], None, id="nothing"),
    ],
)
def test_bounds_are_those_of_the_values(
    tmp_path: Path, dtype: pl.DataType, values: list[Any], bounds: tuple[str, str] | None
) -> None:
    schema = {**SCHEMA, "value": dtype}
    lake = Lake(str(tmp_path))
    lake.ensure(NAME, schema)
    sink = lake.sink(NAME)
    frame = pl.LazyFrame({"tenant_id": "acme", "date": DATES[0], "value": pl.Series(values, dtype=dtype)})
    pl.collect_all([sink.of(frame)])
    (one,) = lake.describe(sink, schema, ["value", "tenant_id", "no such column"])
    found = (one.statistics["minValues"].get("value"), one.statistics["maxValues"].get("value"))
    assert found == (bounds or (None, None))
    assert one.statistics["nullCount"] == {"value": values.count(None)}
    lake.commit(NAME, [one], replaces=replacing(), receipt={})
    kept = pl.scan_delta(str(tmp_path / NAME.path)).filter(pl.col("value").eq_missing(values[0])).collect()
    assert kept.height == values.count(values[0]), "a reader that prunes finds what is there"
