"""What a lake holds, partition by partition, as plain readers see it, and whether that is whole and true.

Belongs here: comparing lakes, and ledgers with tables. Not here: how a lake came to be what it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from lakehouse_assets.lake import maintenance, receipts
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.plan import make_plan
from lakehouse_assets_tests.faults.places import LOG, Place
from lakehouse_assets_tests.pipeline.crm_landings import VOLATILE

LEDGER_KEY = ["domain", "layer", "table", "tenant_id", "date"]


class Key(NamedTuple):
    """A partition of a table or of its quarantine."""

    table: TableName
    tenant_id: str
    date: date


type_of_state = Mapping[Key, str]


def names(house: Lakehouse) -> list[TableName]:
    """All tables and quarantines."""
    return [*house.tables, *(name.quarantine for name in house.tables)]


def state(place: Place) -> dict[Key, str]:
    """A digest of the rows of each partition that has any, of what two lakes of the same rows have in common."""
    house = place.house()
    return {key: found for name in names(house) for key, found in state_of(place, name).items()}


def state_of(place: Place, name: TableName) -> dict[Key, str]:
    """The same of one table, read as anyone reads a Delta table."""
    if place.commits([name]) == 0:
        return {}
    frame = pl.read_delta(f"{place.root}/{name.path}", storage_options=dict(place.options) or None)
    return {
        Key(name, str(tenant), day): digest(part)
        for (tenant, day), part in frame.partition_by("tenant_id", "date", as_dict=True).items()
    }


def digest(frame: pl.DataFrame) -> str:
    """Equal for frames of equal rows, in whatever order."""
    rows = sorted(map(repr, frame.select(sorted(set(frame.columns) - VOLATILE)).iter_rows()))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def ledger(place: Place) -> pl.DataFrame:
    """What the ledger says of rows and inputs, whoever built them when."""
    rows = place.house().ledger.read()
    return rows.select(sorted(set(rows.columns) - VOLATILE)).sort(LEDGER_KEY)


def registered(place: Place) -> pl.DataFrame:
    """What the file register says."""
    rows = place.house().files.read()
    return rows.select(sorted(set(rows.columns) - VOLATILE)).sort("path")


def key_of(entry: Mapping[str, Any]) -> Key:
    """The partition that an entry of the ledger speaks of."""
    return Key(TableName(entry["domain"], entry["layer"], entry["table"]), entry["tenant_id"], entry["date"])


def assert_committed(found: type_of_state, *allowed: type_of_state) -> None:
    """Every partition holds the rows of one of the allowed states, whole; one that is in none of them is not there."""
    keys = set(found).union(*allowed)
    torn = [key for key in keys if all(found.get(key) != one.get(key) for one in allowed)]
    assert not torn, f"rows that no commit stands for in {sorted(map(str, torn))}"


def assert_same_lake(place: Place, other: Place, *, rows_in: int = 0) -> None:
    """Rows, file register and ledger are equal, the entries of partitions left out that had fewer rows to judge."""
    from polars.testing import assert_frame_equal

    assert_committed(state(place), state(other))
    judged = [ledger(one).filter(pl.col("rows_in") >= rows_in) for one in (place, other)]
    assert_frame_equal(*judged, check_exact=True)
    assert_frame_equal(registered(place), registered(other), check_exact=True)


def assert_up_to_date(place: Place, first: date, last: date, *, tenants: list[str] | None = None) -> None:
    """Nothing is left to build, and the ledger says of every partition what the commit says that built it."""
    house = place.house()
    plan = make_plan(house, list(house.tables), tenants, first, last)
    assert plan.is_empty, plan.build
    assert not any(plan.stale_downstream.values()), plan.stale_downstream
    differences = receipts.compare(house, receipts.from_receipts(house))
    assert differences.is_empty, differences


def assert_adds_up(place: Place) -> None:
    """No row is lost: in every entry, what came in is what was kept, set aside or left out."""
    rows = place.house().ledger.read()
    out = pl.sum_horizontal("rows_kept", "rows_rejected", "rows_duplicate", "rows_deleted")
    assert rows.filter(pl.col("rows_in") != out).is_empty()
    assert rows.select(LEDGER_KEY).is_unique().all(), "a partition stands in the ledger twice"


def assert_quarantine_is_entered(place: Place) -> None:
    """Once nobody is writing, quarantine holds as many rows of each partition as its entry says were set aside."""
    house = place.house()
    rows = house.ledger.read().filter(pl.col("rows_rejected") > 0)
    entered = {key_of(entry): entry["rows_rejected"] for entry in rows.iter_rows(named=True)}
    held = {
        Key(name, tenant, day): count
        for name in house.tables
        for tenant, day, count in house.lake.files(name.quarantine)
        .group_by("tenant_id", "date")
        .agg(pl.col("num_records").sum())
        .iter_rows()
        if count
    }
    assert held == entered, "quarantine is of another build than the ledger"


def orphans(place: Place) -> list[str]:
    """Files below the lake root that belong to no table as it is now, nor to its log."""
    house = place.house()
    known = set()
    for name in maintenance.stored_tables(house):
        known |= {f"{name.path}/{path}" for path in house.lake.files(name)["path"]}
    return [path for path in place.files() if path not in known and not _is_log(path)]


def _is_log(path: str) -> bool:
    _, log, name = path.rpartition(LOG)
    return bool(log) and (name == "_last_checkpoint" or name.endswith((".json", ".checkpoint.parquet")))
