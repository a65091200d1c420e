"""Dagster's instance as dagster.yaml describes it, for tests that run assets in their own process.

It records checks together, and so a run in less time than an instance that is kept in memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

PROJECT = Path(__file__).parents[1]


@contextmanager
def instance_in(home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance in a new folder, which is DAGSTER_HOME as long as it is open."""
    home.mkdir(parents=True)
    shutil.copy(PROJECT / "dagster.yaml", home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as made:
            yield made
