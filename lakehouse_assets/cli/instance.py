"""Dagster's instance as commands open it.

Belongs here: finding it, and a plain message where there is none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets.lake.errors import LakeError

if TYPE_CHECKING:
    import dagster as dg

HOME = "DAGSTER_HOME"


@contextmanager
def dagster_instance() -> Iterator[dg.DagsterInstance]:
    """The instance in DAGSTER_HOME, or in the working directory where that is not set and holds a dagster.yaml.

    Raises LakeError where there is none.
    """
    import dagster as dg
    from dagster._core.errors import DagsterHomeNotSetError

    if not os.environ.get(HOME) and Path("dagster.yaml").is_file():
        os.environ[HOME] = str(Path.cwd())
    try:
        with _one_at_a_time():
            instance = dg.DagsterInstance.get()
            # Each makes its tables when it is first asked for.
            _ = instance.run_storage, instance.event_log_storage, instance.schedule_storage
    except (dg.DagsterInvariantViolationError, DagsterHomeNotSetError) as error:
        where = os.environ.get(HOME) or "not set"
        raise LakeError(f"{HOME} is {where}: set it to an absolute folder with a copy of dagster.yaml") from error
    with instance:
        yield instance


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keep other commands on this home waiting: two that make the tables of a new storage fall over each other."""
    import fcntl

    home = Path(os.environ.get(HOME, ""))
    if not home.is_absolute() or not home.is_dir():
        yield
        return
    folder = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
