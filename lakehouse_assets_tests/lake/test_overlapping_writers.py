"""What two commits of one build leave when something comes between them: another writer, a refusal, an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.lake import runner
from lakehouse_assets.lake.errors import UnreconciledError
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.publish import publish
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets_tests.lake.toy import (
    B_READINGS,
    READINGS,
    S_READINGS,
    build_tables,
    cells,
    day,
    house_at,
    land,
    reading,
    rows_of,
    settle_plan,
)

QUARANTINE = S_READINGS.quarantine
FIRST = cells("acme", day(1))


class Interrupted(Lake):
    """A lake in which something happens right before the first commit to a table."""

    def before(self, name: TableName, happens: Callable[[], object]) -> None:
        self.__dict__["waiting"] = {name: happens}

    def commit(self, name: TableName, *given: Any, **options: Any) -> int:
        if happens := self.__dict__.get("waiting", {}).pop(name, None):
            happens()
        return super().commit(name, *given, **options)


def readings(first: int, last: int, bad: range) -> list[dict[str, object]]:
    """Readings of the day by their numbers; the `bad` ones lie below every bed."""
    return [reading(n, day(1), level=-99 if n in bad else 5) for n in range(first, last + 1)]


def two_bad(root: Path) -> Lakehouse:
    """A lake of eight readings, one of them rejected; a file with another rejected one has landed since."""
    land(root, "acme", READINGS, day(1), "a.csv", readings(1, 8, range(1, 2)))
    house = house_at(root)
    build_tables(house, [B_READINGS, S_READINGS], FIRST)
    land(root, "acme", READINGS, day(1), "b.csv", readings(9, 17, range(9, 10)))
    return house


def set_aside(house: Lakehouse) -> list[str]:
    """The file of each row in quarantine."""
    return sorted(path.rpartition("/")[2] for path in pl.read_delta(house.lake.uri(QUARANTINE))["_source_file"])


@pytest.mark.parametrize("name", [QUARANTINE, S_READINGS], ids=["before its quarantine", "between both"])
def test_the_quarantine_is_of_the_build_whose_rows_stand(tmp_path: Path, name: TableName) -> None:
    """Another writer, which does not see the second file yet, builds the same partition while this one commits."""
    blind = two_bad(tmp_path)
    lake = Interrupted(str(tmp_path / "lake"))
    house = replace(blind, lake=lake)
    build_tables(house, [B_READINGS], FIRST)
    report: list[bool] = []

    def other() -> None:
        (tmp_path / "landing" / "acme" / "lake" / "readings" / str(day(1)) / "b.csv").rename(tmp_path / "b.csv")
        writer = house_at(tmp_path)
        build_tables(writer, [B_READINGS, S_READINGS], FIRST)
        report.append(set_aside(writer) == ["a.csv"])
        (tmp_path / "b.csv").rename(tmp_path / "landing" / "acme" / "lake" / "readings" / str(day(1)) / "b.csv")

    lake.before(name, other)
    assert not build(house, S_READINGS, FIRST, "slow").failed
    assert report == [True]
    assert set_aside(house) == ["a.csv", "b.csv"]
    ledger = house.ledger.read(tables=[S_READINGS])
    assert ledger.select("rows_in", "rows_rejected", "run_id").rows() == [(17, 2, "slow")]
    settle_plan(house_at(tmp_path), day(1), day(1))
    assert set_aside(house) == ["a.csv", "b.csv"]


def test_what_another_writer_set_aside_is_taken_back_by_a_build_without_rejects(tmp_path: Path) -> None:
    house = house_at(tmp_path)
    land(tmp_path, "acme", READINGS, day(1), "a.csv", readings(1, 8, range(0)))
    build_tables(house, [B_READINGS], FIRST)
    lake = Interrupted(str(tmp_path / "lake"))
    slow = replace(house, lake=lake)

    def other() -> None:
        land(tmp_path, "acme", READINGS, day(1), "b.csv", [reading(9, day(1), level=-99)])
        build_tables(house_at(tmp_path), [B_READINGS, S_READINGS], FIRST)
        assert set_aside(house) == ["b.csv"]

    lake.before(S_READINGS, other)
    assert not build(slow, S_READINGS, FIRST, "slow").failed
    assert set_aside(house) == []
    settle_plan(house_at(tmp_path), day(1), day(1))
    assert set_aside(house) == ["b.csv"]


def test_once_a_refused_file_is_gone_its_rows_are_no_longer_set_aside(tmp_path: Path) -> None:
    """The same inputs as before the file landed: what was built then is not what quarantine tells since."""
    land(tmp_path, "acme", READINGS, day(1), "a.csv", readings(0, 59, range(3)))
    house = house_at(tmp_path)
    settle_plan(house, day(1), day(1))
    before = rows_of(house, S_READINGS)
    path = land(tmp_path, "acme", READINGS, day(1), "b.csv", readings(60, 119, range(60, 120)))
    build_tables(house, [B_READINGS], FIRST)
    assert "over 20%" in str(build(house, S_READINGS, FIRST, "refused").failed)
    assert set_aside(house).count("b.csv") == 60
    path.unlink()
    settle_plan(house, day(1), day(1))
    assert set_aside(house) == ["a.csv"] * 3
    assert rows_of(house, S_READINGS).equals(before)
    assert make_plan(house, [S_READINGS], ["acme"], day(1), day(1), only_registered=True).is_empty


@pytest.mark.parametrize(("times", "done"), [(2, True), (3, False)])
def test_inputs_that_another_writer_replaced_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, done: bool
) -> None:
    land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    house = house_at(tmp_path)
    build_tables(house, [B_READINGS], FIRST)
    left = [None] * times

    def disturbed(*given: Any, **options: Any) -> Any:
        if left:
            left.pop()
            raise UnreconciledError("9 rows were written, 1 counted")
        return publish(*given, **options)

    monkeypatch.setattr(runner, "publish", disturbed)
    report = build(house, S_READINGS, FIRST, "run")
    assert (not report.failed) is done
    assert rows_of(house, S_READINGS).height == done
