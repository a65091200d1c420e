"""Damaged files of a lake: a message that names the file, no torn table, and what the message says mends it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from lakehouse_assets.lake import maintenance
from lakehouse_assets.lake.ledger import LANDING_FILES, LEDGER
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets_tests.faults import lakes
from lakehouse_assets_tests.faults.places import Place
from lakehouse_assets_tests.faults.rounds import THOROUGH, rounds
from lakehouse_assets_tests.faults.steps import backfill
from lakehouse_assets_tests.faults.stories import Story

CUSTOMERS = TableName("crm", "silver", "customers_clean")
LANDED = TableName("crm", "bronze", "customers")
ADVICE = re.compile(r"`lakehouse backfill --rebuild --select (\S+) --tenant (\S+) --from (\S+) --to (\S+)`")


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(max(0, len(content) - 60), len(content) - 8):
        content[place] ^= 0xFF
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def removed(path: Path) -> None:
    path.unlink()


type_of_damage = Callable[[Path], None]
DAMAGES: list[type_of_damage] = [truncated, flipped, emptied, removed]
SOME_DAMAGES = DAMAGES if THOROUGH else DAMAGES[:1]


def rest(place: Place, story: Story) -> list[str]:
    return backfill(place.house(), story.first, story.last)


def assert_heals(place: Place, story: Story) -> None:
    assert not (faults := rest(place, story)), faults
    lakes.assert_same_lake(place, story.full)
    lakes.assert_adds_up(place)
    lakes.assert_up_to_date(place, story.first, story.last)
    place.remove()


def live_file(place: Place, name: TableName) -> tuple[str, Path]:
    path = min(place.house().lake.files(name)["path"])
    return f"{name.path}/{path}", Path(place.root) / name.path / path


@pytest.mark.parametrize("damage", SOME_DAMAGES)
def test_a_damaged_file_of_rows_is_named_with_what_mends_it(story: Story, damage: type_of_damage) -> None:
    place = story.begun(f"rows-{damage.__name__}")
    name, path = live_file(place, CUSTOMERS)
    content = path.read_bytes()
    damage(path)
    said = "\n".join(rest(place, story))
    assert name in said, said
    damaged = path.read_bytes() if path.exists() else None
    path.write_bytes(content)
    lakes.assert_committed(lakes.state(place), story.before, story.after)
    path.unlink() if damaged is None else path.write_bytes(damaged)
    advice = ADVICE.search(said)
    assert advice, said
    table, tenant, first, last = advice.groups()
    faults = backfill(
        place.house(),
        date.fromisoformat(first),
        date.fromisoformat(last),
        tenants=[tenant],
        select=[TableName(*table.split("/"))],
        rebuild=True,
    )
    assert not faults, faults
    assert_heals(place, story)


@pytest.mark.parametrize("damage", SOME_DAMAGES)
@pytest.mark.parametrize("has_new_file", [True, False][: rounds(1, 2)])
def test_damaged_bronze_is_read_anew_from_the_landing_zone(
    story: Story, damage: type_of_damage, has_new_file: bool
) -> None:
    """Of a date with a new file, only that would be read; what is damaged is read with it."""
    place = story.finished(f"bronze-{damage.__name__}-{has_new_file}")
    _, path = live_file(place, LANDED)
    if has_new_file:
        house = place.house()
        register = house.files
        gone = register.read(tables=[LANDED])[0]
        entry = dict(zip(gone.columns, gone.row(0), strict=True))
        register.replace(gone.clear(), drop={(entry["tenant_id"], LANDED): [entry["date"]]})
    damage(path)
    faults = backfill(place.house(), story.first, story.last, select=[LANDED], rebuild=True)
    assert not faults, faults
    assert_heals(place, story)


def commits(place: Place, name: TableName) -> list[Path]:
    return sorted((Path(place.root) / name.path / "_delta_log").glob("*.json"))


@pytest.mark.parametrize("damage", SOME_DAMAGES)
@pytest.mark.parametrize("name", [CUSTOMERS, LEDGER, LANDING_FILES, CUSTOMERS.quarantine][: rounds(2, 4)])
@pytest.mark.parametrize("which", [0, -1] if THOROUGH else [-1])
def test_a_damaged_commit_is_named_and_put_back_all_is_well(
    story: Story, damage: type_of_damage, name: TableName, which: int
) -> None:
    place = story.begun(f"log-{damage.__name__}-{name.table}-{which}")
    path = commits(place, name)[which]
    if damage is removed and path == commits(place, name)[-1]:
        damage = truncated  # a log without its last commit is whole: see below
    content = path.read_bytes()
    damage(path)
    said = "\n".join(rest(place, story))
    assert str(name) in said, said
    assert path.name in said, said
    path.write_bytes(content)
    lakes.assert_committed(lakes.state(place), story.before, story.after)
    assert_heals(place, story)


@pytest.mark.parametrize("what", ["the last commit", "the table"][: rounds(1, 2)])
@pytest.mark.parametrize("name", [CUSTOMERS, LANDED][: rounds(1, 2)])
def test_nothing_is_built_on_a_table_that_has_lost_what_the_ledger_knows_of(
    story: Story, name: TableName, what: str
) -> None:
    place = story.begun(f"lost-{name.table}-{len(what)}")
    if what == "the table":
        shutil.rmtree(Path(place.root) / name.path)
    else:
        commits(place, name)[-1].unlink()
    said = "\n".join(rest(place, story))
    assert f"table {name} is" in said, said
    assert f"lakehouse maintain reset {name}" in said, said
    lakes.assert_adds_up(place)
    maintenance.reset(place.house(), name)
    assert_heals(place, story)


@pytest.mark.parametrize("what", ["the table", "the last commit"][: rounds(1, 2)])
@pytest.mark.parametrize("name", [LEDGER, LANDING_FILES][: rounds(1, 2)])
def test_bookkeeping_that_has_lost_its_newest_rows_makes_more_work_and_no_fault(
    story: Story, name: TableName, what: str
) -> None:
    place = story.finished(f"books-{name.table}-{len(what)}")
    if what == "the table":
        shutil.rmtree(Path(place.root) / name.path)
    else:
        commits(place, name)[-1].unlink()
    plan = make_plan(place.house(), list(place.house().tables), None, story.first, story.last)
    assert plan.new_files or not plan.is_empty
    assert_heals(place, story)


@pytest.mark.parametrize("damage", SOME_DAMAGES)
def test_a_damaged_checkpoint_is_named_or_does_no_harm(story: Story, damage: type_of_damage) -> None:
    place = story.begun(f"checkpoint-{damage.__name__}")
    house = place.house()
    maintenance.compact(house, [CUSTOMERS, LEDGER])
    for name in (CUSTOMERS, LEDGER):
        (path,) = (Path(place.root) / name.path / "_delta_log").glob("*.checkpoint.parquet")
        content = path.read_bytes()
        damage(path)
        if said := "\n".join(rest(place, story)):
            assert str(name) in said, said
            assert path.name in said or "_delta_log/_last_checkpoint names a checkpoint that is missing" in said, said
        path.write_bytes(content)
        lakes.assert_committed(lakes.state(place), story.before, story.after)
    assert_heals(place, story)
