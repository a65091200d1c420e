"""Bronze: each file is read once, and a partition holds what its folder holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing, LandingFile
from lakehouse_assets.lake.ledger import Register
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets.lake.report import StepReport
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets_tests.lake.toy import (
    B_GAUGES,
    B_READINGS,
    GAUGES,
    LANDED_AT,
    READINGS,
    TABLES,
    build_tables,
    cells,
    contents,
    day,
    gauge,
    house_at,
    land,
    reading,
    rows_of,
)


@dataclass(frozen=True)
class CountingLanding(Landing):
    """A landing zone that remembers which files were opened."""

    opened: list[str] = field(default_factory=list)

    @contextmanager
    def local(self, file: LandingFile) -> Iterator[Path]:
        self.opened.append(file.path)
        with super().local(file) as path:
            yield path


def counting(root: Path) -> tuple[Lakehouse, list[str]]:
    """A lakehouse opened anew, and the files that it opens by name."""
    landing = CountingLanding(str(root / "landing"))
    return replace(house_at(root), landing=landing), landing.opened


def take_in(root: Path, *dates: date) -> list[str]:
    """Build bronze readings of these dates; return the names of the files that were opened for it."""
    house, opened = counting(root)
    build_tables(house, [B_READINGS], cells("acme", *(dates or (day(1),))))
    return [path.rsplit("/", 1)[1] for path in opened]


def readings(root: Path) -> list[str]:
    return sorted(rows_of(house_at(root), B_READINGS)["reading_id"].to_list())


def same_as_anew(root: Path) -> bool:
    """Whether the lake holds what one that is built anew from the same landing zone would hold."""
    house, afresh = house_at(root), replace(house_at(root), lake=Lake(str(root / "afresh")))
    build_tables(afresh, [B_READINGS], cells("acme", *house.ledger.read()["date"].unique().to_list()))
    one, other = contents(house), contents(afresh)
    return one.keys() == other.keys() and all(one[name].equals(other[name]) for name in one)


def test_records_are_kept_as_text_with_where_they_came_from(tmp_path: Path) -> None:
    land(tmp_path, "acme", READINGS, day(2), "a.csv", [reading(1, f"{day(1)}T23:30:00-02:00", level="  0x1 ")])
    take_in(tmp_path, day(2))
    (row,) = pl.read_delta(house_at(tmp_path).lake.uri(B_READINGS)).to_dicts()
    assert row["level"] == "  0x1 "
    assert (row["_source_file"], row["_row_number"]) == (f"acme/lake/readings/{day(2)}/a.csv", 1)
    assert row["_ingested_at"].timestamp() == LANDED_AT
    assert row["_business_date"] == day(2), "in UTC"


def test_a_file_that_was_read_is_not_read_again_when_another_lands_beside_it(tmp_path: Path) -> None:
    land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    assert take_in(tmp_path) == ["a.csv"]
    land(tmp_path, "acme", READINGS, day(1), "b.csv", [reading(2, day(1))])
    assert take_in(tmp_path) == ["b.csv"]
    assert readings(tmp_path) == ["r1", "r2"]
    assert same_as_anew(tmp_path)


def test_a_rebuild_of_what_has_not_changed_opens_nothing(tmp_path: Path) -> None:
    land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    take_in(tmp_path)
    assert take_in(tmp_path) == []
    assert readings(tmp_path) == ["r1"]


def test_malformed_records_of_a_file_that_was_read_stay_in_quarantine(tmp_path: Path) -> None:
    path = land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    path.write_text(path.read_text() + "too,short\n")
    os.utime(path, (LANDED_AT, LANDED_AT))
    take_in(tmp_path)
    land(tmp_path, "acme", READINGS, day(1), "b.csv", [reading(2, day(1))])
    assert take_in(tmp_path) == ["b.csv"]
    aside = rows_of(house_at(tmp_path), B_READINGS.quarantine)
    assert aside["_row_number"].to_list() == [2]
    assert same_as_anew(tmp_path)


def test_a_file_that_was_taken_away_takes_its_rows_along(tmp_path: Path) -> None:
    path = land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    land(tmp_path, "acme", READINGS, day(1), "b.csv", [reading(2, day(1))])
    take_in(tmp_path)
    path.unlink()
    assert take_in(tmp_path) == []
    assert readings(tmp_path) == ["r2"]
    assert house_at(tmp_path).files.read()["path"].to_list() == [f"acme/lake/readings/{day(1)}/b.csv"]
    assert same_as_anew(tmp_path)


def test_the_last_file_of_a_day_that_goes_leaves_an_empty_partition(tmp_path: Path) -> None:
    path = land(tmp_path, "acme", READINGS, day(2), "b.csv", [reading(2, day(2))])
    take_in(tmp_path, day(1), day(2))
    path.unlink()
    plan = make_plan(house_at(tmp_path), [B_READINGS], ["acme"], day(1), day(2))
    assert plan.build[B_READINGS] == {Partition("acme", day(2))}
    take_in(tmp_path, day(2))
    assert readings(tmp_path) == []
    assert same_as_anew(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"level": 22, "later": 5}, id="a later time"),
        pytest.param({"level": 333, "later": 0}, id="another size"),
        pytest.param({"level": 22, "later": -5}, id="an earlier time, as of a backup"),
    ],
)
def test_a_file_that_changed_is_read_again_and_its_neighbour_is_not(tmp_path: Path, change: dict[str, int]) -> None:
    land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1), level=11)])
    land(tmp_path, "acme", READINGS, day(1), "b.csv", [reading(2, day(1))])
    take_in(tmp_path)
    path = land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1), level=change["level"])])
    os.utime(path, (LANDED_AT + change["later"],) * 2)
    assert take_in(tmp_path) == ["a.csv"]
    levels = dict(rows_of(house_at(tmp_path), B_READINGS).select("reading_id", "level").iter_rows())
    assert levels == {"r1": str(change["level"]), "r2": "1"}


def test_other_days_are_not_looked_into(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        land(tmp_path, "acme", READINGS, day(number), f"{number}.csv", [reading(number, day(number))])
    assert take_in(tmp_path, day(2)) == ["2.csv"]
    assert take_in(tmp_path, day(1), day(2), day(3)) == ["1.csv", "3.csv"]
    assert readings(tmp_path) == ["r1", "r2", "r3"]


def test_files_are_read_again_when_the_code_that_reads_them_changed(tmp_path: Path) -> None:
    land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    take_in(tmp_path)
    house, opened = counting(tmp_path)
    changed = {**TABLES, B_READINGS: replace(TABLES[B_READINGS], code_version="anew")}
    build_tables(replace(house, tables=changed), [B_READINGS], cells("acme", day(1)))
    assert len(opened) == 1


def test_files_are_read_again_when_the_first_partition_moved(tmp_path: Path) -> None:
    """The bounds of business dates move along."""
    land(tmp_path, "acme", READINGS, day(5), "a.csv", [reading(1, day(2))])
    take_in(tmp_path, day(5))
    house, opened = counting(tmp_path)
    build_tables(replace(house, start=day(3)), [B_READINGS], cells("acme", day(5)))
    assert len(opened) == 1
    assert rows_of(house, B_READINGS)["_business_date"].to_list() == [None]


def dies(monkeypatch: pytest.MonkeyPatch, method: type[Any], name: str, house: Lakehouse) -> StepReport:
    """Build readings of the first day in a process that is killed when it calls this."""

    def killed(*_: Any, **__: Any) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(method, name, killed)
        report = build(house, B_READINGS, cells("acme", day(1)), "dies")
    assert set(report.failed.values()) == {"OSError: killed"}
    return report


def test_a_register_without_its_commit_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a file that the register knows may be gone with a commit that was lost, or be of a later one."""
    land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    house = house_at(tmp_path)
    build_tables(house, [B_READINGS], cells("acme", day(1)))
    known = house.files.read()
    elsewhere = replace(house, lake=Lake(str(tmp_path / "other")))
    elsewhere.files.replace(known, drop={("acme", B_READINGS): [day(1)]})
    landing = CountingLanding(str(tmp_path / "landing"))
    build_tables(replace(elsewhere, landing=landing), [B_READINGS], cells("acme", day(1)))
    assert len(landing.opened) == 1
    assert rows_of(elsewhere, B_READINGS)["reading_id"].to_list() == ["r1"]


def test_a_step_killed_before_the_register_is_written_reads_its_files_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    dies(monkeypatch, Register, "replace", house_at(tmp_path))
    assert readings(tmp_path) == ["r1"], "its commit stands"
    assert house_at(tmp_path).files.read().is_empty()
    assert take_in(tmp_path) == ["a.csv"]
    assert readings(tmp_path) == ["r1"]
    assert same_as_anew(tmp_path)


def test_a_step_killed_after_its_commit_does_not_double_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])
    take_in(tmp_path)
    land(tmp_path, "acme", READINGS, day(1), "b.csv", [reading(2, day(1))])
    dies(monkeypatch, Register, "replace", house_at(tmp_path))
    assert take_in(tmp_path) == ["a.csv", "b.csv"]
    assert readings(tmp_path) == ["r1", "r2"]
    assert same_as_anew(tmp_path)


def test_a_file_that_changes_while_it_is_read_is_not_landed(tmp_path: Path) -> None:
    path = land(tmp_path, "acme", READINGS, day(1), "a.csv", [reading(1, day(1))])

    @dataclass(frozen=True)
    class Unsteady(Landing):
        @contextmanager
        def local(self, file: LandingFile) -> Iterator[Path]:
            with super().local(file) as found:
                os.utime(path, (LANDED_AT + 9, LANDED_AT + 9))
                yield found

    house = replace(house_at(tmp_path), landing=Unsteady(str(tmp_path / "landing")))
    report = build(house, B_READINGS, cells("acme", day(1)), "run")
    (why,) = report.failed.values()
    assert why.startswith("SourceChangedError")
    assert "a.csv" in why
    assert rows_of(house, B_READINGS).is_empty()
    assert house.files.read().is_empty()


def test_the_register_says_what_a_file_holds(tmp_path: Path) -> None:
    rows = [
        reading(1, day(1)),
        reading(2, day(1)),
        reading(3, day(3)),
        reading(4, "soon"),
        reading(5, date(2020, 1, 1)),
    ]
    path = land(tmp_path, "acme", READINGS, day(3), "a.csv", rows)
    path.write_text(path.read_text() + "too,short\n")
    land(
        tmp_path,
        "acme",
        GAUGES,
        day(3),
        "a.csv",
        [gauge(1), gauge(2, operation=" DELETE"), gauge(3, operation="delete")],
    )
    house = house_at(tmp_path)
    build_tables(house, [B_READINGS, B_GAUGES], cells("acme", day(3)))
    read, gauges = (house.files.read(tables=[name]).to_dicts()[0] for name in (B_READINGS, B_GAUGES))
    assert (read["records"], read["rows"], read["malformed"], read["deletes"]) == (6, 5, 1, 0)
    assert dict(zip(read["business_dates"], read["business_rows"], strict=True)) == {None: 2, day(1): 2, day(3): 1}
    assert (gauges["rows"], gauges["deletes"], gauges["business_dates"]) == (3, 2, [])
    assert read["size_bytes"] == path.stat().st_size


def test_a_file_without_a_required_column_is_refused_and_the_others_are_not(tmp_path: Path) -> None:
    path = land(tmp_path, "acme", READINGS, day(1), "a.csv", [])
    path.write_text("reading_id,level\nr1,2\nr2,3\n")
    land(tmp_path, "acme", READINGS, day(1), "b.csv", [reading(3, day(1))])
    house = house_at(tmp_path)
    report = build_tables(house, [B_READINGS], cells("acme", day(1)))[B_READINGS]
    (partition,) = report.judged
    assert (partition.rows_in, partition.rows_kept, partition.rows_rejected) == (2, 1, 1), "the file is one record"
    (refused,) = partition.refused_files
    assert "a.csv" in refused
    assert "read_at" in refused
    assert readings(tmp_path) == ["r3"]
    assert rows_of(house, B_READINGS.quarantine).height == 1
    assert take_in(tmp_path) == [], "a refused file is known, too"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param(f"{day(3)}T23:59:59Z", day(3), id="the ingest date"),
        pytest.param(f"{day(4)}T10:00:00Z", day(4), id="a day ahead"),
        pytest.param(f"{day(5)}T00:00:00Z", None, id="two days ahead"),
        pytest.param(f"{day(1)}", day(1), id="the first partition"),
        pytest.param("2024-12-31T23:59:59Z", None, id="before it"),
        pytest.param("2024-12-31T23:00:00-02:00", day(1), id="before it by local time only"),
        pytest.param("soon", None, id="no time"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_business_date_lies_within_the_partitions(tmp_path: Path, moment: str, expected: date | None) -> None:
    land(tmp_path, "acme", READINGS, day(3), "a.csv", [reading(1, moment)])
    take_in(tmp_path, day(3))
    assert rows_of(house_at(tmp_path), B_READINGS)["_business_date"].to_list() == [expected]
