"""A backfill killed at any moment leaves committed states only; run again, it gives the lake that no kill would."""

from __future__ import annotations

import pytest

from lakehouse_assets_tests.faults.killing import BEGINNINGS, chain, type_of_beginning
from lakehouse_assets_tests.faults.rounds import THOROUGH, rounds, seeds
from lakehouse_assets_tests.faults.stories import Story


@pytest.mark.parametrize("seed", seeds(1, 9))
@pytest.mark.parametrize("kind", BEGINNINGS[: rounds(2, 3)])
def test_a_killed_backfill_leaves_whole_states_and_heals(story: Story, kind: type_of_beginning, seed: int) -> None:
    place = chain(story, kind, seed, kills=rounds(1, 4), steps=seed % 3 > 0 or not THOROUGH, is_watched=seed % 2 == 0)
    place.remove()
