"""The two bookkeeping tables: what was built, and which files were read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.lake import storage
from lakehouse_assets.lake.errors import StorageError
from lakehouse_assets.lake.ledger import (
    EMPTY,
    FILES_SCHEMA,
    GROUPED_BY,
    LEDGER,
    LEDGER_SCHEMA,
    Entry,
    Register,
    digest,
    entries,
    landed_files,
    landing_files,
    output_digest,
    partition_ledger,
    rows_of,
)
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets_tests.lake.toy import B_GAUGES, LEVELS, PEAK, S_GAUGES, day

PARTS = st.lists(st.binary(max_size=3) | st.text("ab", max_size=3), max_size=4)


def entered(table: TableName, tenant: str, on: date, *, version: int = 1, **figures: Any) -> dict[str, Any]:
    """A row of the ledger."""
    row: dict[str, Any] = dict.fromkeys(LEDGER_SCHEMA)
    row |= {"tenant_id": tenant, "date": on, "table_version": version, "code_version": "code"}
    row |= {**table._asdict(), "input_fingerprint": digest(str(on)).hex(), "built_at": datetime(2025, 1, 1, tzinfo=UTC)}
    return row | figures


def enter(register: Register, *rows: Mapping[str, Any]) -> None:
    """Replace the dates of these rows, as a build does."""
    drop: dict[tuple[str, TableName], list[date]] = {}
    for row in rows:
        name = TableName(row["domain"], row["layer"], row["table"])
        drop.setdefault((row["tenant_id"], name), []).append(row["date"])
    register.replace(rows_of(rows, register.schema), drop=drop)


def versions(register: Register) -> dict[tuple[str, str, date], int]:
    columns = ("table", "tenant_id", "date", "table_version")
    return {(table, tenant, on): version for table, tenant, on, version in register.read().select(columns).iter_rows()}


def test_nothing_is_built_before_anything_is(tmp_path: Path) -> None:
    read = partition_ledger(Lake(str(tmp_path))).read(tenants=["acme"], tables=[LEVELS])
    assert read.is_empty()
    assert read.schema == pl.Schema(LEDGER_SCHEMA)


def test_a_build_replaces_its_dates_and_leaves_all_others(tmp_path: Path) -> None:
    register = partition_ledger(Lake(str(tmp_path)))
    enter(register, *(entered(LEVELS, tenant, day(n)) for tenant in ("acme", "globex") for n in (1, 2)))
    enter(register, entered(PEAK, "acme", day(1)))
    enter(register, entered(LEVELS, "acme", day(2), version=5), entered(LEVELS, "acme", day(3), version=5))
    assert versions(register) == {
        ("levels", "acme", day(1)): 1,
        ("levels", "acme", day(2)): 5,
        ("levels", "acme", day(3)): 5,
        ("levels", "globex", day(1)): 1,
        ("levels", "globex", day(2)): 1,
        ("peak", "acme", day(1)): 1,
    }


def test_dates_without_rows_are_taken_out(tmp_path: Path) -> None:
    register = landing_files(Lake(str(tmp_path)))
    row: dict[str, Any] = dict.fromkeys(FILES_SCHEMA)
    row |= {**B_GAUGES._asdict(), "tenant_id": "acme", "path": "a.csv", "business_dates": [], "business_rows": []}
    register.replace(
        rows_of([{**row, "date": day(1)}, {**row, "date": day(2)}], FILES_SCHEMA),
        drop={("acme", B_GAUGES): [day(1), day(2)]},
    )
    register.replace(rows_of([], FILES_SCHEMA), drop={("acme", B_GAUGES): [day(1)]})
    assert register.read()["date"].to_list() == [day(2)]


def test_a_reader_opens_the_tenants_and_tables_that_it_asks_for(tmp_path: Path) -> None:
    """Not those, for one, of whose name the parts are asked for apart: gold.gauges is neither of the two."""
    lake, across = Lake(str(tmp_path)), TableName("lake", "gold", "gauges")
    register = partition_ledger(lake)
    for tenant in ("acme", "acme2"):
        enter(register, *(entered(name, tenant, day(1)) for name in (LEVELS, PEAK, S_GAUGES, across)))
    asked = [("acme", *S_GAUGES), ("acme", *LEVELS)]
    for path, *group in lake.files(LEDGER).select("path", *GROUPED_BY).iter_rows():
        if tuple(group) not in asked:
            (tmp_path / LEDGER.path / path).unlink()
    found = register.read(tenants=["acme"], tables=[S_GAUGES, LEVELS])
    assert sorted(found.select(GROUPED_BY).rows()) == sorted(asked)
    assert register.read(tenants=[]).is_empty()
    assert register.read(tables=[]).is_empty()


def test_the_ledger_keeps_the_newer_commit_when_an_older_one_is_entered_late(tmp_path: Path) -> None:
    register = partition_ledger(Lake(str(tmp_path)))
    enter(register, entered(LEVELS, "acme", day(1), version=7, run_id="second"))
    enter(
        register, entered(LEVELS, "acme", day(1), version=6, run_id="first"), entered(LEVELS, "acme", day(2), version=6)
    )
    assert versions(register) == {("levels", "acme", day(1)): 7, ("levels", "acme", day(2)): 6}
    assert register.read().filter(pl.col("date") == day(1))["run_id"].to_list() == ["second"]


def test_a_partition_that_retention_dropped_is_entered_anew_when_it_is_built(tmp_path: Path) -> None:
    register = partition_ledger(Lake(str(tmp_path)))
    enter(register, entered(LEVELS, "acme", day(1), table_version=None))
    enter(register, entered(LEVELS, "acme", day(1), version=3))
    assert versions(register) == {("levels", "acme", day(1)): 3}


def test_writers_at_once_lose_no_entry(tmp_path: Path) -> None:
    partition_ledger(Lake(str(tmp_path))).lake.ensure(LEDGER, LEDGER_SCHEMA, GROUPED_BY)
    start = threading.Barrier(4)

    def one(number: int) -> None:
        register = partition_ledger(Lake(str(tmp_path)))
        start.wait(timeout=60)
        for version in (1, 2, 3):
            own = entered(LEVELS, "acme", day(number + 2), version=version)
            shared = entered(LEVELS, "acme", day(1), version=10 * number + version)
            enter(register, own, shared)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    found = versions(partition_ledger(Lake(str(tmp_path))))
    assert found == {("levels", "acme", day(1)): 33} | {("levels", "acme", day(n + 2)): 3 for n in range(4)}


def _loses(register: Register, monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """As if another process were faster each time: it enters a date between our read and our commit."""
    other, commit_on, lost = partition_ledger(Lake(register.lake.root)), register.lake.commit_on, [0]

    def slow(*arguments: Any) -> int:
        if lost[0] < times:
            lost[0] += 1
            enter(other, entered(LEVELS, "acme", day(9), version=lost[0]))
        return commit_on(*arguments)

    monkeypatch.setattr(register.lake, "commit_on", slow)
    return lost


def _replaces(register: Register) -> None:
    enter(register, entered(LEVELS, "acme", day(2), version=7))


def _rewrites(register: Register) -> None:
    register.rewrite([("acme", LEVELS)], lambda held: held.with_columns(table_version=pl.col("table_version") + 100))


CHANGES = [
    pytest.param(_replaces, {day(1): 1, day(2): 7, day(9): 3}, id="replaced"),
    pytest.param(_rewrites, {day(1): 101, day(9): 103}, id="rewritten"),
]


@pytest.mark.parametrize(("change", "left"), CHANGES)
def test_a_change_that_loses_the_race_is_made_of_what_the_winner_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Register], None], left: dict[date, int]
) -> None:
    register = partition_ledger(Lake(str(tmp_path)))
    enter(register, entered(LEVELS, "acme", day(1)))
    lost = _loses(register, monkeypatch, times=3)
    change(register)
    assert lost == [3]
    assert versions(register) == {("levels", "acme", on): version for on, version in left.items()}


@pytest.mark.parametrize("change", [_replaces, _rewrites])
def test_a_change_that_always_loses_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Register], None]
) -> None:
    register = partition_ledger(Lake(str(tmp_path)))
    enter(register, entered(LEVELS, "acme", day(1)))
    _loses(register, monkeypatch, times=99)
    monkeypatch.setattr(storage, "COMMIT_ATTEMPTS", 2)
    with pytest.raises(StorageError, match=r"platform\.silver\.partition_ledger: 2 commits lost"):
        change(register)
    assert versions(register) == {("levels", "acme", day(1)): 1, ("levels", "acme", day(9)): 2}


def test_nothing_to_enter_makes_no_table(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    partition_ledger(lake).replace(rows_of([], LEDGER_SCHEMA), drop={})
    assert lake.open(LEDGER) is None


def test_rows_are_told_apart_by_table_and_tenant() -> None:
    rows = rows_of([entered(LEVELS, "acme", day(1)), entered(LEVELS, "globex", day(2))], LEDGER_SCHEMA)
    assert entries(rows) == {
        (LEVELS, "acme"): {day(1): Entry(digest(str(day(1))).hex(), "code")},
        (LEVELS, "globex"): {day(2): Entry(digest(str(day(2))).hex(), "code")},
    }


def test_a_file_is_known_by_its_content_and_the_dates_of_its_rows() -> None:
    row = dict.fromkeys(FILES_SCHEMA) | {
        "date": day(3),
        "path": "a.csv",
        "sha256": "sha",
        "business_dates": [None, day(1)],
        "business_rows": [2, 1],
    }
    (file,) = landed_files(rows_of([row], FILES_SCHEMA))
    assert file == (day(3), "a.csv", "sha", frozenset({None, day(1)}))


@given(PARTS, PARTS)
def test_a_digest_stands_for_one_sequence_of_parts(one: list[bytes | str], other: list[bytes | str]) -> None:
    def plain(parts: list[bytes | str]) -> list[bytes]:
        return [part.encode() if isinstance(part, str) else part for part in parts]

    assert (digest(*one) == digest(*other)) == (plain(one) == plain(other))
    assert len(digest(*one)) == len(EMPTY)


def test_what_came_of_nothing_is_nothing_whatever_the_code() -> None:
    assert output_digest("one", EMPTY.hex()) == output_digest("other", EMPTY.hex()) == EMPTY
    inputs = digest("something").hex()
    assert len({output_digest("one", inputs), output_digest("other", inputs), EMPTY}) == 3
    assert Entry(inputs, "one").digest == output_digest("one", inputs)
