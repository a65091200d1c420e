"""A disk that takes no more, and folders that take nothing: a message that names the table, no torn table, and a rerun
that does the rest.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from lakehouse_assets_tests.faults import lakes, processes
from lakehouse_assets_tests.faults.crowds import assert_ledger_is_true
from lakehouse_assets_tests.faults.killing import known
from lakehouse_assets_tests.faults.places import Place
from lakehouse_assets_tests.faults.rounds import THOROUGH, rounds, seeds
from lakehouse_assets_tests.faults.steps import backfill
from lakehouse_assets_tests.faults.stories import Story

NO_ROOM = re.compile("|".join(os.strerror(code) for code in (errno.EFBIG, errno.ENOSPC)))
TABLE = re.compile(r"crm\.(bronze|silver|gold|platinum)\.\w+|platform\.silver\.\w+")
MOST_KILOBYTES = 12


def assert_whole_states(place: Place, story: Story, said: str, *, steps: bool = True) -> None:
    assert NO_ROOM.search(said), said
    assert TABLE.search(said), said
    allowed = (known(one, steps=steps) for one in ({}, story.before, story.after))
    lakes.assert_committed(known(lakes.state(place), steps=steps), *allowed)
    assert_ledger_is_true(place, story.full, story.early)
    lakes.assert_adds_up(place)


def assert_heals(place: Place, story: Story) -> None:
    assert not (faults := backfill(place.house(), story.first, story.last)), faults
    lakes.assert_same_lake(place, story.full)
    lakes.assert_up_to_date(place, story.first, story.last)


@pytest.mark.parametrize("seed", seeds(1, 20))
@pytest.mark.parametrize("kind", ["late", "first"][: rounds(1, 2)])
def test_files_that_cannot_grow_leave_whole_states_and_a_rerun_does_the_rest(
    story: Story, kind: str, seed: int
) -> None:
    """The room of each file is bounded, so that what is small is written, and what is not fails in the middle."""
    place = (story.unbegun if kind == "first" else story.begun)(f"bounded-{kind}-{seed}")
    room = Random(seed).randint(0, MOST_KILOBYTES * 1024)
    arguments = processes.backfill(first=story.first, last=story.last)
    child = processes.start(place, *arguments, steps=True, options=["--file-bytes", str(room)])
    if child.wait() != 0:
        assert_whole_states(place, story, child.said)
    assert_heals(place, story)
    place.remove()


@contextmanager
def disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of so many kilobytes."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def grow(folder: Path, kilobytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", folder], check=True)


if THOROUGH:

    @pytest.mark.parametrize("seed", seeds(0, 6))
    def test_a_full_disk_below_the_lake_leaves_whole_states(story: Story, tmp_path: Path, seed: int) -> None:
        random = Random(seed)
        place = story.begun(f"disk-{seed}")
        held = sum(path.stat().st_size for path in Path(place.root).rglob("*")) // 1024
        with disk(tmp_path / "disk", 100_000) as folder:
            shutil.copytree(place.root, folder / "lake")
            place = replace(place, root=str(folder / "lake"))
            used = shutil.disk_usage(folder).used // 1024
            room = used + random.randint(0, held // 2)
            arguments = processes.backfill(first=story.first, last=story.last)
            steps, faults = seed % 2 > 0, 0
            while True:
                grow(folder, room)
                child = processes.start(place, *arguments, steps=steps)
                if child.wait() == 0:
                    break
                faults += 1
                assert_whole_states(place, story, child.said, steps=steps)
                room += random.randint(100, 500)
            assert faults
            assert_heals(place, story)

    @pytest.mark.parametrize("seed", seeds(0, 3))
    def test_a_full_spool_is_told_and_a_rerun_with_room_does_the_rest(story: Story, tmp_path: Path, seed: int) -> None:
        place = story.unbegun(f"spool-{seed}")
        # A size of 0 would be no limit.
        with disk(tmp_path / "disk", 4 * (1 + seed % 2)) as spool:
            arguments = processes.backfill(first=story.first, last=story.last)
            child = processes.start(place, *arguments, steps=True, TMPDIR=str(spool))
            assert_whole_states(place, story, child.fail())
        assert_heals(place, story)
        place.remove()


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


UNWRITABLE = ["platform/silver/partition_ledger/_delta_log", "crm/gold/sales_summary/_delta_log", "crm/bronze"]


@pytest.mark.parametrize("below", UNWRITABLE if THOROUGH else UNWRITABLE[:1])
def test_a_folder_that_cannot_be_written_is_told(story: Story, below: str) -> None:
    is_log = below.endswith("_delta_log")
    place = (story.begun if is_log else story.unbegun)(f"unwritable-{below.replace('/', '-')}")
    arguments = processes.backfill(first=story.first, last=story.last)
    with unwritable(Path(place.root) / below):
        said = processes.start(place, *arguments, steps=True, options=["--bound-by-permissions"]).fail()
        lakes.assert_committed(lakes.state(place), {}, story.before, story.after)
    assert os.strerror(errno.EACCES) in said, said
    assert below.removesuffix("/_delta_log").replace("/", ".") in said, said
    lakes.assert_adds_up(place)
    assert_heals(place, story)
    place.remove()


def test_a_file_in_the_place_of_a_folder_is_told(story: Story) -> None:
    place = story.unbegun("file-for-folder")
    Path(place.root, "crm").mkdir(parents=True)
    Path(place.root, "crm", "silver").touch()
    said = "\n".join(backfill(place.house(), story.first, story.last))
    assert "table crm.silver.customers_clean could not be created" in said, said
    assert os.strerror(errno.ENOTDIR) in said, said
    Path(place.root, "crm", "silver").unlink()
    assert_heals(place, story)
    with suppress(FileNotFoundError):
        place.remove()
