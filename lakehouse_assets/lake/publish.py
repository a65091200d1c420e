"""From the files of a chunk to committed partitions: checked, quarantine first, the table last, then the ledger.

Nothing makes the commits of quarantine and table one: where writers of the same partitions overlap, the one whose rows
stand in the table puts its quarantine back.

Belongs here: what is refused, and in which order things are committed. Not here: what rows mean (`compute`), how a
commit works (`storage`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import polars as pl

from lakehouse_assets.lake.bookkeeping import forget
from lakehouse_assets.lake.errors import ComputationError, UnreconciledError
from lakehouse_assets.lake.judge import QUARANTINE_SCHEMA
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import LEDGER_SCHEMA, Entry, entries, rows_of
from lakehouse_assets.lake.live_files import PARTITION_SCHEMA, among
from lakehouse_assets.lake.partitions import Window
from lakehouse_assets.lake.report import ChunkReport, PartitionReport, receipt
from lakehouse_assets.lake.sink import Sink, Written
from lakehouse_assets.lake.storage import replacing, until_won
from lakehouse_assets.lake.table import Table


def sinks(house: Lakehouse, table: Table) -> tuple[Sink, Sink]:
    """Places for the files of a chunk's rows and of its rejected rows; the tables are made where they are missing."""
    house.lake.ensure(table.name, {**table.schema, **PARTITION_SCHEMA})
    house.lake.ensure(table.name.quarantine, QUARANTINE_SCHEMA)
    return house.lake.sink(table.name), house.lake.sink(table.name.quarantine)


def publish(
    house: Lakehouse,
    table: Table,
    window: Window,
    run: dict[str, Any],
    written: tuple[Sink, Sink],
    reports: list[PartitionReport],
    inputs: dict[str, int],
) -> ChunkReport:
    """Count what was written from the files, refuse what is not right, then commit quarantine and table."""
    tenant, dates, lake = window.tenant_id, window.dates(), house.lake
    bounded = [*table.key, "_business_date", "_ingest_date"]
    added = lake.describe(written[0], table.schema, bounded)
    set_aside = lake.describe(written[1], QUARANTINE_SCHEMA)
    _guard(table, window, [*added, *set_aside])
    rows_in_files: Counter[str] = Counter()
    for file in added:
        rows_in_files[file.partition["date"]] += file.statistics["numRecords"]
    for report in reports:
        report.rows_written = rows_in_files[report.date.isoformat()]
        if table.kind in ("event", "derived", "bronze") and report.rows_written != report.rows_kept:
            raise UnreconciledError(
                f"{table.name} {tenant} {report.date}: {report.rows_written} rows were written,"
                f" {report.rows_kept} counted"
            )
        if not report.is_reconciled:
            raise UnreconciledError(
                f"{table.name} {tenant} {report.date}: {report.rows_in} rows were judged,"
                f" {report.rows_expected} are upstream; kept {report.rows_kept}, rejected {report.rows_rejected},"
                f" duplicate {report.rows_duplicate}, deleted {report.rows_deleted} do not add up"
            )
    # What is refused makes the entry untrue too: its quarantine is another than that of the rows in the table.
    _forget_other_builds(house, table, reports)
    quarantine = replacing(tenant_id=[tenant], date=dates)
    quarantine_version = None
    if set_aside or lake.files(table.name.quarantine, tenant_id=[tenant], date=dates).height:
        quarantine_version = lake.commit(
            table.name.quarantine, set_aside, replaces=quarantine, receipt={"run_id": run["run_id"]}
        )
    built = [report for report in reports if report.refused is None]
    kept = {report.date.isoformat() for report in built}
    added = [file for file in added if file.partition["date"] in kept]
    version = -1
    if built:
        version = lake.commit(
            table.name,
            added,
            replaces=replacing(tenant_id=[tenant], date=[report.date for report in built]),
            receipt=receipt(run, table.code_version, inputs, built, quarantine_version),
        )
    return ChunkReport(
        table=table.name,
        partitions=reports,
        table_version=version,
        quarantine_version=quarantine_version,
        bytes_written=sum(file.size_bytes for file in added),
        set_aside=set_aside,
    )


def _forget_other_builds(house: Lakehouse, table: Table, reports: Sequence[PartitionReport]) -> None:
    """Take out the ledger entries that the next commits make untrue, so that a step killed after them leaves none."""
    tenant = reports[0].tenant_id
    held = entries(house.ledger.read(tenants=[tenant], tables=[table.name])).get((table.name, tenant), {})
    other = [
        report.date
        for report in reports
        if report.date in held and held[report.date] != Entry(report.input_fingerprint, table.code_version)
    ]
    forget(house.ledger, {(tenant, table.name): other} if other else {})


def _guard(table: Table, window: Window, written: Iterable[Written]) -> None:
    """Raise where rows belong to a partition that was not asked for: nothing of them is committed."""
    inside = {day.isoformat() for day in window.dates()}
    for file in written:
        if file.partition["tenant_id"] != window.tenant_id or file.partition["date"] not in inside:
            raise ComputationError(
                f"{table.name}: rows of {file.partition} came out of {window.tenant_id} {window.first} … {window.last}"
            )


def enter(house: Lakehouse, table: Table, tenant: str, chunk: ChunkReport, run: dict[str, Any]) -> None:
    """Write the ledger, after the commit that it describes, and see to it that the quarantine is of the same build."""
    built = chunk.written
    fixed = {
        **dict(zip(("domain", "layer", "table"), table.name, strict=True)),
        "tenant_id": tenant,
        "code_version": table.code_version,
        "table_version": chunk.table_version,
        "run_id": run["run_id"],
        "built_at": run["quarantined_at"],
    }
    records = [{**report.figures(), **fixed} for report in built]
    dates = [report.date for report in built]
    house.ledger.replace(rows_of(records, LEDGER_SCHEMA), drop={(tenant, table.name): dates} if built else {})
    if built:
        _put_back(house, table, tenant, chunk, run)


def _put_back(house: Lakehouse, table: Table, tenant: str, chunk: ChunkReport, run: dict[str, Any]) -> None:
    """Commit a build's rejected rows again where another writer replaced them before the build's rows stood."""
    dates, lake, quarantine = [report.date for report in chunk.written], house.lake, table.name.quarantine
    if _is_own(lake.files(quarantine, tenant_id=[tenant], date=dates), chunk.set_aside, dates):
        return

    def commit() -> None:
        live = lake.files(quarantine, tenant_id=[tenant], date=dates)
        # Read after the quarantine: a writer that entered later looks later.
        held = house.ledger.read(tenants=[tenant], tables=[table.name])
        standing = held.filter(pl.col("table_version") == chunk.table_version)["date"].to_list()
        live = among(live, {"date": standing})
        if not _is_own(live, chunk.set_aside, standing):
            own = [file for file in chunk.set_aside if date.fromisoformat(file.partition["date"]) in standing]
            lake.commit_on(quarantine, own, live, {"run_id": run["run_id"]})

    until_won(quarantine, commit)


def _is_own(live: pl.DataFrame, set_aside: Iterable[Written], dates: Sequence[date]) -> bool:
    """Whether the live files are those that a build set aside on these dates."""
    return set(live["path"]) == {f.path for f in set_aside if date.fromisoformat(f.partition["date"]) in dates}
