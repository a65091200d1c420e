"""The three days built once, for tests that each take a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.backfill import backfill
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets_tests.instances import instance_in
from lakehouse_assets_tests.once import once
from lakehouse_assets_tests.pipeline.three_days import FIRST, LAST, house_in, land_three_days


@pytest.fixture
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with instance_in(tmp_path_factory.mktemp("dagster") / "home") as made:
        yield made


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three days landed, and a lake in which a backfill has built them: for copies only."""

    def build(folder: Path) -> None:
        land_three_days(folder / "landing")
        home = tmp_path_factory.mktemp("dagster") / "home"
        with pytest.MonkeyPatch.context() as patch, instance_in(home) as instance:
            house = house_in(patch, folder / "landing", folder / "lake")
            assert backfill(house, list(house.tables), None, FIRST, LAST, instance=instance).is_complete

    return once(tmp_path_factory, "three_days", build)


@pytest.fixture
def built(built_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    shutil.copytree(built_once, tmp_path, dirs_exist_ok=True)
    return house_in(monkeypatch, tmp_path / "landing", tmp_path / "lake")
