"""Where a landing zone and a lake lie, on this machine or in an object store: what tests of faults do there.

Belongs here: files and objects, and the settings that lead a process to them. Not here: what tables hold (`lakes`).
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import obstore

from lakehouse_assets.house import open_house
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing_root import open_store
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.settings import Settings

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PROJECT = Path(__file__).parents[2]
# Before the first ingest date, so that events may lie before it too.
START = date(2025, 12, 1)
FIRST = date(2026, 1, 1)
LOG = "_delta_log/"


@dataclass(frozen=True)
class Place:
    """A landing zone and a lake, each a folder or the URL of a place in an object store.

    `options` are the store's, by the names that Polars and delta-rs take. `home` is a folder of this machine for
    Dagster's storage, the spool and what processes print.
    """

    landing: str
    root: str
    home: Path
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to work here."""
        return {
            "LAKEHOUSE_LANDING": self.landing,
            "LAKEHOUSE_ROOT": self.root,
            "LAKEHOUSE_START_DATE": START.isoformat(),
            "DAGSTER_HOME": str(self.home / "dagster"),
            "TMPDIR": str(self.spool),
            **{name.upper(): value for name, value in self.options.items()},
        }

    @cached_property
    def spool(self) -> Path:
        """Where processes keep what they spill; the folder and Dagster's home are made when first asked for."""
        spool, home = self.home / "spool", self.home / "dagster"
        spool.mkdir(parents=True, exist_ok=True)
        home.mkdir(exist_ok=True)
        shutil.copy(PROJECT / "dagster.yaml", home)
        return spool

    def house(self) -> Lakehouse:
        """The lakehouse of crm here, opened anew."""
        house = open_house(Settings.from_environment(self.environment))
        return replace(house, tables={name: table for name, table in house.tables.items() if name.domain == "crm"})

    def with_lake(self, name: str) -> Place:
        """Another lake beside this one, of the same landing zone."""
        return replace(self, root=f"{self.root.rpartition('/')[0]}/{name}", home=self.home.parent / name)

    def files(self) -> list[str]:
        """Everything below the lake root."""
        return listed(self.root, self.options)

    def commits(self, tables: Collection[TableName] = ()) -> int:
        """How many commits the logs of these tables hold; of all tables, where none is named."""
        if "://" in self.root:
            heads = tuple(f"{table.path}/" for table in tables)
            return sum(LOG in path and path.endswith(".json") and path.startswith(heads or "") for path in self.files())
        root = Path(self.root)
        logs = [root / table.path / LOG for table in tables] if tables else root.glob(f"*/*/*/{LOG}")
        return sum(sum(name.endswith(".json") for name in _names(log)) for log in logs)

    def copy_lake(self, name: str) -> Place:
        """A copy of this lake beside it."""
        copy = self.with_lake(name)
        copied(self.root, copy.root, self.options)
        return copy

    def remove(self) -> None:
        """Free the room of the lake; the landing zone stays."""
        store = store_of(self.root, self.options)
        obstore.delete(store, self.files())
        shutil.rmtree(self.home, ignore_errors=True)
        if "://" not in self.root:
            shutil.rmtree(self.root, ignore_errors=True)


def local(folder: Path) -> Place:
    """A place in a folder of this machine."""
    (folder / "landing").mkdir(parents=True)
    (folder / "lakes").mkdir()
    return Place(str(folder / "landing"), str(folder / "lakes" / "lake"), folder / "homes" / "lake")


def store_of(uri: str, options: Mapping[str, str]) -> ObjectStore:
    """Folder or object store, to list, copy and delete alike."""
    if "://" in uri:
        return open_store(uri, options)
    Path(uri).mkdir(parents=True, exist_ok=True)
    return open_store(f"file://{uri}", {})


def listed(uri: str, options: Mapping[str, str]) -> list[str]:
    """The paths of all files below a URI, in order."""
    return sorted(meta["path"] for batch in obstore.list(store_of(uri, options)) for meta in batch)


def copied(source: str, target: str, options: Mapping[str, str]) -> None:
    """Copy everything below one URI to another; folders of this machine keep their times of modification."""
    if "://" not in source + target:
        shutil.copytree(source, target, dirs_exist_ok=True)
        return
    into = store_of(target, options)
    for path in listed(source, options):
        obstore.put(into, path, obstore.get(store_of(source, options), path).bytes())


def day(number: int) -> date:
    """The ingest dates that tests land on, from 0."""
    return FIRST + timedelta(days=number)


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
