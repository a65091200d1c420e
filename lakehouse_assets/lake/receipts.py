"""The ledger written anew from the receipts in the tables' commits, and how it differs from the one that is there.

Belongs here: reading receipts back. Not here: writing them (`report`, `runner`).

A table's log forgets a commit after its log retention; what no receipt is left of keeps the entry that it has.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import polars as pl

from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import GROUPED_BY, LEDGER_SCHEMA, rows_of
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.storage import RECEIPT

KEY = [*GROUPED_BY, "date"]
REPLACED = "CREATE OR REPLACE TABLE"


class Differences(NamedTuple):
    """Where the ledger and the receipts disagree; every frame has the ledger's columns.

    `missing` has a receipt and no entry, `different` an entry unlike its receipt (as the receipt says), `unproven` an
    entry and no receipt: the log has forgotten it, or it was never written.
    """

    missing: pl.DataFrame
    different: pl.DataFrame
    unproven: pl.DataFrame

    @property
    def is_empty(self) -> bool:
        """Whether every receipt is in the ledger as it says."""
        return not self.missing.height and not self.different.height


def from_receipts(house: Lakehouse, tables: Collection[TableName] | None = None) -> pl.DataFrame:
    """The ledger as the commits of these tables (None: all) tell it."""
    found: list[dict[str, Any]] = []
    for name in house.tables:
        if tables is None or name in tables:
            found.extend(_entries_of(house, name))
    return rows_of(found, LEDGER_SCHEMA).sort(KEY)


def compare(house: Lakehouse, told: pl.DataFrame, tables: Collection[TableName] | None = None) -> Differences:
    """Hold the ledger against what receipts told."""
    chosen = list(house.tables) if tables is None else tables
    held = house.ledger.read(tables=chosen)
    missing = told.join(held, on=KEY, how="anti")
    both = told.join(held.select(KEY), on=KEY, how="semi")
    different = both.join(held, on=list(LEDGER_SCHEMA), how="anti", nulls_equal=True)
    return Differences(missing, different, held.join(told, on=KEY, how="anti"))


def write_ledger(house: Lakehouse, told: pl.DataFrame) -> None:
    """Put what receipts told into the ledger, in one commit.

    An entry without a receipt stays, and so does one that a build has written since the receipts were read.
    """
    groups = [(tenant, TableName(*name)) for tenant, *name in told.select(GROUPED_BY).unique().iter_rows()]
    read_to = told.group_by(GROUPED_BY).agg(pl.col("table_version").max().alias("_read_to"))

    def merge(held: pl.DataFrame) -> pl.DataFrame:
        unproven = held.join(told, on=KEY, how="anti")
        later = held.join(read_to, on=list(GROUPED_BY)).filter(pl.col("table_version") > pl.col("_read_to"))
        kept = pl.concat([unproven, later.select(held.columns)]).unique(KEY)
        return pl.concat([told.join(kept, on=KEY, how="anti"), kept])

    house.ledger.rewrite(groups, merge)


def _entries_of(house: Lakehouse, name: TableName) -> Iterator[dict[str, Any]]:
    """The entries of a table's partitions as its commits left them, oldest first."""
    opened = house.lake.open(name)
    if opened is None:
        return
    found: dict[tuple[str, date], dict[str, Any]] = {}
    for commit in reversed(opened.history()):
        if commit.get("operation") == REPLACED:
            found.clear()
        receipt = json.loads(commit.get(RECEIPT, "{}"))
        match receipt.get("kind"):
            case "reset":
                found = {key: entry for key, entry in found.items() if key[0] not in receipt["tenants"]}
            case "retention":
                for day in map(date.fromisoformat, receipt["dates"]):
                    if (receipt["tenant_id"], day) in found:
                        found[receipt["tenant_id"], day]["table_version"] = None
            case _:
                for entry in _built(name, receipt, int(commit["version"])):
                    found[entry["tenant_id"], entry["date"]] = entry
    yield from found.values()


def _built(name: TableName, receipt: Mapping[str, Any], version: int) -> Iterator[dict[str, Any]]:
    for values in receipt.get("partitions", ()):
        figures = dict(zip(receipt["columns"], values, strict=True))
        yield {
            **figures,
            **name._asdict(),
            "tenant_id": receipt["tenant_id"],
            "date": date.fromisoformat(figures["date"]),
            "code_version": receipt["code_version"],
            "table_version": version,
            "run_id": receipt["run_id"],
            "built_at": datetime.fromisoformat(receipt["built_at"]),
        }
