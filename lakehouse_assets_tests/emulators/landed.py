"""One landing zone in a store and in a folder, file by file with equal times, so that the lakes must be equal too.

Belongs here: what lands, and the undisturbed lake of it. Not here: faults, and what must be true of lakes (`faults`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.selection import select
from lakehouse_assets_tests.emulators.servers import Emulator
from lakehouse_assets_tests.faults import places
from lakehouse_assets_tests.faults.places import Place
from lakehouse_assets_tests.faults.rounds import THOROUGH
from lakehouse_assets_tests.landing_zones import Spec, generate
from lakehouse_assets_tests.pipeline.crm_landings import build_all

SPEC = Spec(
    rows=200 if THOROUGH else 60,
    tenants=("acme", "globex"),
    first=places.FIRST,
    days=3 if THOROUGH else 1,
    history_days=3 if THOROUGH else 1,
    dirty=0.02 if THOROUGH else 0.3,
    late=0.3,
    latest=1,
    corrections=0.3,
    deletes=0.1,
    extract_every=2,
    gaps=0.0,
    formats=("csv", "csv.gz", "ndjson", "parquet", "json", "csv.zst"),
    seed=3,
)
# All tables; else bronze, a silver table, quarantine and the bookkeeping: what touches storage is the same in each.
SELECT = () if THOROUGH else ("crm/bronze/interactions", "crm/silver/customers_clean")
# Signs that a URL writes otherwise.
ODD_NAME = "Zürich 100% #1+2 (α).csv"


@dataclass(frozen=True)
class Landed:
    """A landing zone in the store and in a folder, and the lake of the folder's."""

    store: Place
    folder: Place
    first: date = SPEC.first
    last: date = SPEC.last

    def lake(self, name: str) -> Place:
        """A lake of that name in the store, not begun yet."""
        return self.store.with_lake(name)


def land(emulator: Emulator, folder: Path, spec: Spec = SPEC, tables: Sequence[str] = SELECT) -> Landed:
    """Land in the store and in a folder, and build these tables of the folder's lake."""
    here = places.local(folder / "here")
    there = Place(f"{emulator.url}/landing", f"{emulator.url}/lakes/lake", folder / "there/lake", emulator.options)
    generate(Path(here.landing), spec)
    plain = min(Path(here.landing).glob("acme/crm/*/*/*.csv"))
    shutil.move(plain, plain.with_name(ODD_NAME))
    places.copied(here.landing, there.landing, there.options)
    _keep_times(there, here)
    house = here.house()
    build_all(house, spec.first, spec.last, selected=select(house.tables, tables))
    return Landed(there, here, spec.first, spec.last)


def _keep_times(store: Place, folder: Place) -> None:
    """Give the folder's files the times that the store lists."""
    house = store.house()
    listed = Landing(store.landing, house.lake.options).list(sources=house.sources.values())
    assert not listed.refused
    for file in listed.files:
        seconds, rest = divmod(file.modified_at.timestamp(), 1)
        nanoseconds = int(seconds) * 10**9 + round(rest * 10**6) * 10**3
        os.utime(Path(folder.landing) / file.path, ns=(nanoseconds, nanoseconds))


def elsewhere(place: Place, *, landing: str | None = None, root: str | None = None) -> Place:
    """A place with its landing zone or its lake at another's."""
    return replace(place, landing=landing or place.landing, root=root or place.root)
