"""Upkeep of the tables' files: compact, checkpoint, vacuum, and reset for a rebuild.

Belongs here: what changes how a table is stored and not what it says; and dropping a table whole, to build it anew.
Not here: dropping what has outlived its layer (`retention`), the ledger from receipts (`receipts`).

Every function goes over `stored_tables`, so a table declared is a table maintained.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import NamedTuple, TypeVar

import polars as pl
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError

from lakehouse_assets.lake.bookkeeping import forget_all
from lakehouse_assets.lake.errors import SelectionError, StorageError
from lakehouse_assets.lake.judge import QUARANTINE_SCHEMA
from lakehouse_assets.lake.keeping import VACUUM_HOURS
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import LANDING_FILES, LEDGER
from lakehouse_assets.lake.live_files import PARTITION_SCHEMA
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.storage import PARTITION_COLUMNS, in_one_line, replacing

T = TypeVar("T")
SMALL_BYTES = 100 * 2**20
BOOKKEEPING = (LEDGER, LANDING_FILES)


class Compacted(NamedTuple):
    """What compacting did to a table: partitions merged, live files before and after, version of the checkpoint."""

    table: TableName
    partitions: int
    files_before: int
    files_after: int
    checkpoint: int


class Vacuumed(NamedTuple):
    """The files that vacuum removed from a table, or would remove: paths below the table."""

    table: TableName
    paths: list[str]


class Reset(NamedTuple):
    """What a reset took out of a table and of its quarantine."""

    table: TableName
    tenants: list[str]
    partitions: int
    rows: int


def stored_tables(house: Lakehouse, chosen: Collection[TableName] | None = None) -> list[TableName]:
    """The tables that are in the lake: those declared (`chosen` of them), their quarantines, and the bookkeeping."""
    declared = list(house.tables) if chosen is None else [name for name in house.tables if name in set(chosen)]
    names = [*declared, *(name.quarantine for name in declared)]
    if chosen is None:
        names += BOOKKEEPING
    return [name for name in dict.fromkeys(names) if house.lake.open(name) is not None]


def compact(house: Lakehouse, names: Iterable[TableName], *, small_bytes: int = SMALL_BYTES) -> list[Compacted]:
    """Merge the small files of each partition that has more than one, and write a checkpoint of each table.

    Rows stay as they are; a file of `small_bytes` or more is left alone. Old commits are forgotten by the bookkeeping
    alone: those of all other tables carry receipts, from which the ledger can be written anew however old they are.
    """
    return [_compact(house, name, small_bytes) for name in names]


def _compact(house: Lakehouse, name: TableName, small_bytes: int) -> Compacted:
    opened = _opened(house, name)
    files = house.lake.files(name)
    keys = [key for key in files.columns if key in opened.metadata().partition_columns]
    small = files.filter(pl.col("size_bytes") < small_bytes)
    crowded = small.group_by(keys).len().filter(pl.col("len") > 1)
    for tenant in sorted(set(crowded["tenant_id"])):
        # One commit a tenant: a writer of another tenant does not make it start again.
        _guarded(name, partial(opened.optimize.compact, [("tenant_id", "=", tenant)], target_size=small_bytes))
    _guarded(name, opened.create_checkpoint)
    if name in BOOKKEEPING:
        _guarded(name, opened.cleanup_metadata)
    return Compacted(name, crowded.height, files.height, house.lake.files(name).height, opened.version())


def vacuum(
    house: Lakehouse, names: Iterable[TableName], *, hours: int = VACUUM_HOURS, dry_run: bool = False
) -> list[Vacuumed]:
    """Delete files older than `hours` that no newest version holds: replaced ones, and those of writers that died.

    A version that needs them can no longer be read. With `dry_run`, nothing is deleted.
    """
    found = []
    for name in names:
        remove = partial(_opened(house, name).vacuum, hours, enforce_retention_duration=False, full=True)
        found.append(Vacuumed(name, sorted(_guarded(name, partial(remove, dry_run=dry_run)))))
    return found


def reset(house: Lakehouse, name: TableName, tenants: Collection[str] | None = None) -> Reset:
    """Take every row of a table out, with its quarantine and its ledger entries, so that a backfill builds it anew.

    For all tenants (None) the table also takes the columns and types that its contract has today.
    Raises SelectionError for a table that no one declares.
    """
    table = house.table(name)
    files = house.lake.files(name, **({} if tenants is None else {"tenant_id": tenants}))
    built = house.ledger.read(tenants=tenants, tables=[name])
    registered = house.files.read(tenants=tenants, tables=[name])
    found = sorted({*files["tenant_id"], *built["tenant_id"], *registered["tenant_id"]})
    groups = [(tenant, name) for tenant in found]
    # The ledger first: a fault in between leaves rows that no one vouches for, not a promise of rows that are gone.
    forget_all(house.ledger, groups)
    forget_all(house.files, [group for group in groups if name in house.sources])
    schemas = {name: {**table.schema, **PARTITION_SCHEMA}, name.quarantine: QUARANTINE_SCHEMA}
    for stored, schema in schemas.items():
        if house.lake.open(stored) is None:
            continue
        if tenants is None:
            _create_anew(house, stored, schema)
        else:
            receipt = {"kind": "reset", "tenants": found}
            house.lake.commit(stored, [], replaces=replacing(tenant_id=found), receipt=receipt)
    return Reset(name, found, files.select(PARTITION_COLUMNS).n_unique(), int(files["num_records"].sum()))


def _create_anew(house: Lakehouse, name: TableName, schema: dict[str, pl.DataType]) -> None:
    opened = _opened(house, name)
    _guarded(
        name,
        partial(
            DeltaTable.create,
            house.lake.uri(name),
            schema=Schema.from_arrow(pl.Schema(schema)),
            mode="overwrite",
            partition_by=list(PARTITION_COLUMNS),
            configuration=opened.metadata().configuration,
            storage_options=dict(house.lake.options),
        ),
    )


def _opened(house: Lakehouse, name: TableName) -> DeltaTable:
    opened = house.lake.open(name)
    if opened is None:
        raise SelectionError(f"table {name} is not in the lake at {house.lake.root}: build it by `lakehouse backfill`")
    return opened


def _guarded(name: TableName, action: Callable[[], T]) -> T:
    try:
        return action()
    except (DeltaError, OSError) as error:
        raise StorageError(
            f"table {name} cannot be maintained: {in_one_line(error)}; nothing is lost, run it again"
        ) from error
