"""Folders of this machine for what a process spills; those of processes that were killed are removed by later ones.

Belongs here: making, holding and sweeping them. Not here: what is spilled.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PREFIX = "lakehouse-spool-"
# A folder is held a moment after it is made.
YOUNGEST_SECONDS = 60


@contextmanager
def spool_folder(within: str | None = None) -> Iterator[Path]:
    """A folder that is gone afterwards, in `within` or where the system keeps such things."""
    _sweep_once(within or tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=within) as folder:
        # The lock goes with the process, however that ends.
        held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_SH)
            yield Path(folder)
        finally:
            os.close(held)


@cache
def _sweep_once(within: str) -> None:
    sweep(within)


def sweep(within: str) -> list[Path]:
    """Remove the folders that no process holds any more, as far as they may be removed; return them."""
    latest, removed = time.time() - YOUNGEST_SECONDS, []
    for folder in Path(within).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process has it, or was faster
            held = os.open(folder, os.O_RDONLY)
            try:
                if os.fstat(held).st_mtime < latest:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
                    removed.append(folder)
            finally:
                os.close(held)
    return removed
