"""Processes that build at once lose no acknowledged work, and leave a lake that one alone would have left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakehouse_assets_tests.faults import lakes
from lakehouse_assets_tests.faults.crowds import Ask, assert_all_done, assert_ledger_is_true, build_at_once
from lakehouse_assets_tests.faults.places import Place, day, local
from lakehouse_assets_tests.faults.processes import backfill
from lakehouse_assets_tests.faults.rounds import THOROUGH, rounds, seeds
from lakehouse_assets_tests.faults.steps import backfill as backfill_by_steps
from lakehouse_assets_tests.faults.stories import Story, tell

TENANTS = ("acme", "globex", "initech", "umbrella")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, story: Story) -> Story:
    """Four tenants of two parts of the calendar, so that eight processes have a part each."""
    if not THOROUGH:
        return story
    return tell(local(tmp_path_factory.mktemp("many") / "place"), tenants=TENANTS, days=4, rows=400)


def parts(place: Place, story: Story) -> list[Ask]:
    """Each tenant's dates in two halves."""
    middle = day(story.spec.days // 2)
    halves = [(story.first, day(story.spec.days // 2 - 1)), (middle, story.last)]
    return [
        Ask(place, backfill(tenants=[tenant], first=first, last=last))
        for tenant in story.tenants
        for first, last in halves
    ]


@pytest.mark.parametrize("seed", seeds(1, 6))
def test_processes_of_other_tenants_and_dates_make_one_lake(many: Story, seed: int) -> None:
    place = many.unbegun(f"crowd-{seed}")
    children = build_at_once(parts(place, many), steps=not THOROUGH or seed % 2 > 0)
    assert_all_done(place, many, children)
    place.remove()


@pytest.mark.parametrize("kind", ["first", "late", "rebuild"][: rounds(1, 3)])
@pytest.mark.parametrize("seed", seeds(1, 3))
def test_processes_of_the_same_partitions_leave_the_rows_of_one(story: Story, kind: str, seed: int) -> None:
    places = {"first": story.unbegun, "late": story.begun, "rebuild": story.finished}
    place = places[kind](f"same-{kind}-{seed}")
    ask = Ask(place, backfill(first=story.first, last=story.last, rebuild=kind == "rebuild"))
    children = build_at_once([ask] * rounds(2, 4), steps=not THOROUGH or seed % 2 > 0)
    assert_all_done(place, story, children)
    place.remove()


if THOROUGH:

    @pytest.mark.parametrize("seed", seeds(0, 10))
    def test_what_the_ledger_says_is_what_the_tables_hold_when_files_land_in_between(story: Story, seed: int) -> None:
        """Half of the processes do not see the last day; whoever commits last, the ledger speaks of that one's rows."""
        place = story.begun(f"between-{seed}")
        arguments = backfill(first=story.first, last=story.last, rebuild=True)
        blind = replace(place, landing=story.early.landing)
        children = build_at_once([Ask(place, arguments), Ask(blind, arguments)] * 2, steps=True)
        for child in children:
            # Who finds that register and table are not of one landing, time and again, commits nothing and says so.
            assert child.process.returncode == 0 or "its inputs are read again" in child.said, child.said
        lakes.assert_adds_up(place)
        lakes.assert_quarantine_is_entered(place)
        assert assert_ledger_is_true(place, story.full, story.early) > 0
        assert not (faults := backfill_by_steps(place.house(), story.first, story.last)), faults
        lakes.assert_same_lake(place, story.full)
        lakes.assert_up_to_date(place, story.first, story.last)
        place.remove()
