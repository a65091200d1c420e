"""A source file that changes while it is read lands not at all, is named, and lands whole with the next run."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets_tests.faults import lakes, processes
from lakehouse_assets_tests.faults.places import FIRST, Place, local
from lakehouse_assets_tests.faults.rounds import THOROUGH, rounds, seeds
from lakehouse_assets_tests.pipeline.crm_landings import build_all, land

LAST = FIRST + timedelta(days=1)
# So many that a process is seen while it reads them.
ROWS = 60_000
SILVER = TableName("crm", "silver", "interactions_clean")
BACKFILL = processes.backfill(first=FIRST, last=LAST, select=[SILVER.path])
LONGEST_DELAY = 0.4


def interactions(first: int, rows: int) -> list[dict[str, object]]:
    return [
        {
            "interaction_id": f"i{n:06}",
            "customer_id": f"c{n % 97}",
            "channel": "call",
            "interaction_at": f"{FIRST} 10:00",
        }
        for n in range(first, first + rows)
    ]


def grow(path: Path) -> None:
    with path.open("a") as stream:
        stream.write(path.read_text().splitlines()[-1].replace("i059999", "i060099") + "\n")


def vanish(path: Path) -> None:
    path.rename(path.with_name(f".{path.name}"))


def be_written_over(path: Path) -> None:
    """The same size, and the same file of the file system, but other bytes."""
    text = path.read_text().replace(",call,", ",chat,")
    with path.open("r+") as stream:
        stream.write(text)


def be_replaced(path: Path) -> None:
    """Another file under the name, older than the first and of its size."""
    other = path.with_name(".other")
    other.write_text(path.read_text().replace(",call,", ",chat,"))
    os.utime(other, (1_600_000_000, 1_600_000_000))
    other.rename(path)


CHANGES = [grow, vanish, be_written_over, be_replaced]


def landed(folder: Path) -> tuple[Place, Path]:
    """A place where one tenant landed a large file, another a small one."""
    place = local(folder / "place")
    land(Path(place.landing), "acme", "interactions", LAST, "few.csv", interactions(ROWS, 10))
    path = land(Path(place.landing), "acme", "interactions", FIRST, "many.csv", interactions(0, ROWS))
    land(Path(place.landing), "globex", "interactions", FIRST, "few.csv", interactions(0, 20))
    return place, path


def is_of_the_file(key: lakes.Key) -> bool:
    return key.table.layer == "bronze" and (key.tenant_id, key.date) == ("acme", FIRST)


def assert_heals(place: Place) -> None:
    """The next run gives the lake that never saw another file."""
    processes.start(place, *BACKFILL, steps=True).succeed()
    other = place.with_lake("undisturbed")
    build_all(other.house(), FIRST, LAST, selected=[SILVER])
    # What held a file that vanished is built and empty; where it never landed, nothing is built.
    lakes.assert_same_lake(place, other, rows_in=1)


@pytest.mark.parametrize("change", CHANGES[: rounds(1, 4)])
def test_a_file_that_changes_while_it_is_read_is_named_and_lands_whole_later(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    place, path = landed(tmp_path)
    child = processes.start(place, *BACKFILL, steps=True)
    with child.stopped_while_reading(path) as is_reading:
        assert is_reading, child.said
        change(path)
    said = child.fail()
    assert re.search(r"acme/crm/interactions/2026-01-01/many\.csv (changed|vanished) while it was read", said), said
    assert not any(is_of_the_file(key) for key in lakes.state(place))
    lakes.assert_adds_up(place)
    assert_heals(place)


if THOROUGH:

    @pytest.mark.parametrize("seed", seeds(0, 12))
    def test_a_file_may_change_at_any_time_of_its_reading(tmp_path: Path, seed: int) -> None:
        random = Random(seed)
        place, path = landed(tmp_path)
        child = processes.start(place, *BACKFILL, steps=True)
        with child.stopped_while_reading(path) as is_reading:
            assert is_reading, child.said
        time.sleep(random.uniform(0, LONGEST_DELAY))
        random.choice(CHANGES)(path)
        if child.wait() != 0:
            assert "acme/crm/interactions/2026-01-01/many.csv" in child.said
            assert not any(is_of_the_file(key) for key in lakes.state(place))
        assert_heals(place)


@pytest.mark.parametrize("moment", ["1960-01-01", "2100-01-01", "2001-01-01"][: rounds(2, 3)])
def test_a_corrected_file_is_read_whatever_its_clock_said(tmp_path: Path, moment: str) -> None:
    place = local(tmp_path / "place")
    path = land(Path(place.landing), "acme", "interactions", FIRST, "few.csv", interactions(0, 20))
    build_all(place.house(), FIRST, LAST, selected=[SILVER])
    before = lakes.state(place)
    be_replaced(path)
    seconds = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    os.utime(path, (seconds, seconds))
    house = place.house()
    assert [file.name for file in make_plan(house, [SILVER], None, FIRST, LAST).new_files] == ["few.csv"]
    build_all(house, FIRST, LAST, selected=[SILVER])
    assert lakes.state(place) != before
    other = place.with_lake("undisturbed")
    build_all(other.house(), FIRST, LAST, selected=[SILVER])
    lakes.assert_same_lake(place, other)
