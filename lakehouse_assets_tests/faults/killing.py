"""One chain of kills: a backfill killed again and again, then left alone; and what must hold after each.

Belongs here: the play, on lakes at any place. Not here: how often (`test_kill`).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal, get_args

import obstore

from lakehouse_assets.lake import maintenance
from lakehouse_assets.lake.ledger import LANDING_FILES, LEDGER
from lakehouse_assets.lake.names import TableName
from lakehouse_assets_tests.faults import lakes, processes
from lakehouse_assets_tests.faults.crowds import assert_ledger_is_true
from lakehouse_assets_tests.faults.places import Place, store_of
from lakehouse_assets_tests.faults.processes import Moment
from lakehouse_assets_tests.faults.steps import backfill
from lakehouse_assets_tests.faults.stories import Story

type_of_beginning = Literal["first", "late", "rebuild"]
BEGINNINGS: tuple[type_of_beginning, ...] = get_args(type_of_beginning)
LONGEST_DELAY = 0.1
MOST_TRIES = 10


def beginning(story: Story, kind: type_of_beginning, name: str) -> tuple[Place, tuple[lakes.type_of_state, ...]]:
    """A lake to build in, and the states between which it may be: nothing yet, a day behind, or whole already."""
    if kind == "first":
        return story.unbegun(name), ({}, story.after)
    if kind == "late":
        return story.begun(name), (story.before, story.after)
    return story.finished(name), (story.after,)


def any_moment(random: Random, story: Story) -> Moment:
    """Anywhere in the work: some time after one of all commits."""
    return Moment(random.randint(1, story.full.commits() * 2 // 3), random.uniform(0, LONGEST_DELAY))


def between_commits(random: Random, story: Story) -> Moment:
    """Right after a commit of quarantine, table, file register or ledger, before the one that follows from it."""
    found = list(lakes.names(story.full.house()))
    chosen = random.choice([*found, LEDGER, LEDGER, LANDING_FILES])
    return Moment(random.randint(1, 3), 0.0, (chosen,))


def known(state: lakes.type_of_state, *, steps: bool) -> lakes.type_of_state:
    """What a kill may leave of a state only as it is in the end, or as it was in the beginning.

    A whole command that has read no file yet does not know the dates of late rows: gold may be built before them, and
    again after. The ledger says what it was made of: see `assert_ledger_is_true`.
    """
    return state if steps else {key: rows for key, rows in state.items() if key.table.layer not in ("gold", "platinum")}


def reader(
    place: Place, random: Random, allowed: tuple[lakes.type_of_state, ...], *, steps: bool
) -> Callable[[], None]:
    """Someone who reads a table now and then, and must never see a part of a commit."""
    found: list[TableName] = sorted({key.table for one in allowed for key in one})

    def read() -> None:
        name = random.choice(found)
        seen = known(lakes.state_of(place, name), steps=steps)
        lakes.assert_committed(seen, *({key: d for key, d in one.items() if key.table == name} for one in allowed))

    return read


def chain(
    story: Story, kind: type_of_beginning, seed: int, *, kills: int, steps: bool, is_watched: bool = False
) -> Place:
    """Kill a backfill so often, look at the lake each time, run it to its end, and compare it with the undisturbed."""
    random = Random(seed)
    name = f"killed-{kind}-{seed}"
    place, allowed = beginning(story, kind, name)
    arguments = processes.backfill(first=story.first, last=story.last, rebuild=kind == "rebuild")
    done = 0
    for attempt in range(kills * MOST_TRIES):
        moment = random.choice([any_moment, between_commits])(random, story)
        child = processes.start(place, *arguments, steps=steps)
        seen = tuple(known(one, steps=steps) for one in allowed)
        watch = reader(place, random, seen, steps=steps) if is_watched and not moment.tables else None
        if not child.kill_at(place, moment, watch):
            # It came to its end before the moment did: begin again.
            child.succeed()
            lakes.assert_same_lake(place, story.full)
            place.remove()
            place, allowed = beginning(story, kind, f"{name}-{attempt}")
            continue
        lakes.assert_committed(known(lakes.state(place), steps=steps), *(known(one, steps=steps) for one in allowed))
        assert_ledger_is_true(place, story.full, story.early)
        lakes.assert_adds_up(place)
        done += 1
        if done == kills:
            break
    assert done == kills, f"only {done} of {kills} were killed in time"
    if steps:
        faults = backfill(place.house(), story.first, story.last, rebuild=kind == "rebuild")
        assert not faults, faults
    else:
        processes.start(place, *arguments).succeed()
    assert_whole(place, story)
    return place


def leave_a_file(place: Place) -> None:
    """What every kill between writing and committing leaves: a file that no commit names."""
    store = store_of(place.root, place.options)
    path = next(path for path in place.files() if path.endswith("-0.parquet"))
    obstore.put(store, path.replace("-0.parquet", "-1.parquet"), obstore.get(store, path).bytes())


def assert_whole(place: Place, story: Story) -> None:
    """The lake is the undisturbed one; upkeep then leaves no file that belongs to nothing, and changes no row."""
    lakes.assert_same_lake(place, story.full)
    lakes.assert_adds_up(place)
    lakes.assert_quarantine_is_entered(place)
    lakes.assert_up_to_date(place, story.first, story.last)
    leave_a_file(place)
    house = place.house()
    stored = maintenance.stored_tables(house)
    maintenance.compact(house, stored)
    maintenance.vacuum(house, stored, hours=0)
    assert not (left := lakes.orphans(place)), left
    lakes.assert_committed(lakes.state(place), story.after)
