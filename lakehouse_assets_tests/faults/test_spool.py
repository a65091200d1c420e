"""What a killed process spilled is removed by the next; what a living one spills is left alone."""

from __future__ import annotations

import os
from pathlib import Path

from lakehouse_assets.lake.spool import PREFIX, spool_folder, sweep
from lakehouse_assets_tests.faults import processes
from lakehouse_assets_tests.faults.stories import Story

LONG_AGO = (1_700_000_000, 1_700_000_000)


def test_the_spool_of_a_killed_backfill_is_removed_by_the_next(story: Story) -> None:
    place = story.unbegun("spooled")
    arguments = processes.backfill(first=story.first, last=story.last)
    child = processes.start(place, *arguments, steps=True)
    assert child.kill_when(lambda: any(place.spool.glob(f"{PREFIX}*"))), child.said
    (left,) = place.spool.glob(f"{PREFIX}*")
    os.utime(left, LONG_AGO)
    processes.start(place, *arguments, steps=True).succeed()
    assert list(place.spool.iterdir()) == []
    place.remove()


def test_folders_in_use_are_not_removed_however_old(tmp_path: Path) -> None:
    with spool_folder(str(tmp_path)) as held:
        (held / "rows").touch()
        left = tmp_path / f"{PREFIX}left"
        left.mkdir()
        for folder in (held, left):
            os.utime(folder, LONG_AGO)
        (tmp_path / f"{PREFIX}new").mkdir()
        assert sweep(str(tmp_path)) == [left]
        assert (held / "rows").exists()
    assert not held.exists()
