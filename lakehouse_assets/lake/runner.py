"""One step: the requested partitions of one table in chunks, each judged and written in one streaming pass.

Belongs here: the order in which things happen, and what happens when one fails. Not here: what rows mean.

Per chunk: the sinks of valid and rejected rows and the counts run as one query, or two where rows must be settled;
then the counts are known, and `publish` refuses or commits.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl

from lakehouse_assets.lake.bronze import Desk, census, registered, require_versions, take_in
from lakehouse_assets.lake.chunks import chunks
from lakehouse_assets.lake.compute import plan_chunk, raised
from lakehouse_assets.lake.damage import UNREADABLE
from lakehouse_assets.lake.errors import LakeError, UnreconciledError
from lakehouse_assets.lake.figures import final_counts, judged_counts, reports_of
from lakehouse_assets.lake.fingerprints import Fingerprints, put_entries
from lakehouse_assets.lake.judge import FLAGS, quarantined
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import FILES_SCHEMA, entries, landed_files, rows_of
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, Window
from lakehouse_assets.lake.publish import enter, publish, sinks
from lakehouse_assets.lake.report import ChunkReport, PartitionReport, StepReport
from lakehouse_assets.lake.sink import Sink
from lakehouse_assets.lake.spool import spool_folder
from lakehouse_assets.lake.step import Chunk, Plan
from lakehouse_assets.lake.table import Table

log = logging.getLogger(__name__)
LONGEST_MESSAGE = 300
MOST_READINGS = 3


def build(house: Lakehouse, name: TableName, partitions: Iterable[Partition], run_id: str) -> StepReport:
    """Build partitions of a table; a chunk that fails does not stop the others."""
    table, now = house.table(name), datetime.now(UTC)
    report = StepReport(table=name, run_id=run_id, started_at=now)
    run = {"run_id": run_id, "quarantined_at": now}
    for window in chunks(house, table, partitions):
        try:
            chunk = _built(house, table, window, run)
        except (
            Exception,
            pl.exceptions.PanicException,
        ) as error:  # a table function may raise anything: the step goes on
            log.exception("%s: %s %s … %s failed", name, window.tenant_id, window.first, window.last)
            message = f"{type(error).__name__}: {error if isinstance(error, LakeError) else _first_line(error)}"
            if isinstance(error, UNREADABLE):
                message += _broken(house, table, window.tenant_id)
            report.failed.update({Partition(window.tenant_id, day): message for day in window.dates()})
        else:
            report.chunks.append(chunk)
            refused = [partition for partition in chunk.partitions if partition.refused]
            report.failed.update({partition.partition: str(partition.refused) for partition in refused})
    return report


def _built(house: Lakehouse, table: Table, window: Window, run: dict[str, Any]) -> ChunkReport:
    """Build a chunk, anew where another writer replaced what it was reading."""
    build_chunk = _bronze_chunk if table.kind == "bronze" else _chunk
    for _ in range(MOST_READINGS - 1):
        try:
            return build_chunk(house, table, window, run)
        except UnreconciledError as error:
            log.warning("%s; its inputs are read again", error)
    return build_chunk(house, table, window, run)


def _broken(house: Lakehouse, table: Table, tenant: str) -> str:
    """The first broken file among those that a chunk reads, with what mends it; empty where all can be read."""
    for name in (*table.reads, table.name, table.name.quarantine):
        for path, fault in house.lake.broken_files(name, [tenant]):
            day = path.rpartition("/")[0].rpartition("date=")[2]
            asked = f"--rebuild --select {name.path} --tenant {tenant} --from {day} --to {day}"
            return f"; {name.path}/{path} is broken, {fault}: write it anew by `lakehouse backfill {asked}`"
    return ""


def _first_line(error: BaseException) -> str:
    """Polars quotes rows in its messages; the first line says what is wrong."""
    return str(error).partition("\n")[0][:LONGEST_MESSAGE]


def _bronze_chunk(house: Lakehouse, table: Table, window: Window, run: dict[str, Any]) -> ChunkReport:
    try:
        return _taken_in(house, table, window, run, is_readable=True)
    except UNREADABLE:
        if not (broken := _broken(house, table, window.tenant_id)):
            raise
        log.warning("%s: its files are read anew%s", table.name, broken)
        return _taken_in(house, table, window, run, is_readable=False)


def _taken_in(house: Lakehouse, table: Table, window: Window, run: dict[str, Any], *, is_readable: bool) -> ChunkReport:
    source = house.sources[table.name]
    tenant, dates = window.tenant_id, window.dates()
    with Desk(house) as desk:
        intake = take_in(house, table, source, tenant, dates, desk, run, is_readable=is_readable)
        written = sinks(house, table)
        results = pl.collect_all(
            [written[0].of(intake.rows), written[1].of(intake.malformed), census(intake.rows, source)],
            engine="streaming",
        )
        desk.verify(intake.opened)
    by_file = {path: part for (path,), part in results[2].group_by("_source_file")}
    nothing = results[2].clear()
    opened = [
        registered(table.name, source, one, by_file.get(one.file.path, nothing), run["run_id"]) for one in intake.opened
    ]
    register = pl.concat([intake.known, rows_of(opened, FILES_SCHEMA)])
    reports = _bronze_reports(house, table, window, register)
    chunk = publish(house, table, window, run, written, reports, inputs={})
    house.files.replace(register, drop={(tenant, table.name): dates})
    enter(house, table, tenant, chunk, run)
    return chunk


def _bronze_reports(house: Lakehouse, table: Table, window: Window, register: pl.DataFrame) -> list[PartitionReport]:
    dates = window.dates()
    found = Fingerprints(house.tables, {table.name: landed_files(register)}, start=house.start, first=dates[0])
    reports = {
        day: PartitionReport(tenant_id=window.tenant_id, date=day, input_fingerprint=found.of(table, day).hex())
        for day in dates
    }
    columns = ("date", "path", "records", "rows", "malformed", "refused")
    for day, path, records, rows, malformed, refused in register.select(columns).iter_rows():
        report = reports[day]
        report.rows_in += records
        report.rows_kept += rows
        report.rows_rejected += malformed
        if refused is not None:
            report.refused_files += (f"{path}: {refused}",)
    return list(reports.values())


def _chunk(house: Lakehouse, table: Table, window: Window, run: dict[str, Any]) -> ChunkReport:
    chunk = open_chunk(house, table, window)
    plan = plan_chunk(chunk)
    written = sinks(house, table)
    judged, final = _computed(house, table, plan, written, run)
    reports = reports_of(chunk, plan, judged, final)
    inputs = {str(name): opened.version() for name in table.reads if (opened := house.lake.open(name, refresh=False))}
    report = publish(house, table, window, run, written, reports, inputs)
    # Before the ledger vouches for the partitions: an alert that cannot be asked leaves them to be built again.
    report = replace(report, alerts=raised(chunk, [partition.date for partition in report.written]))
    enter(house, table, window.tenant_id, report, run)
    return report


def _computed(
    house: Lakehouse, table: Table, plan: Plan, written: tuple[Sink, Sink], run: dict[str, Any]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Write the rows that stand and the rejected ones; return the counts of the judged and of those that stand."""
    rejected = written[1].of(quarantined(plan.judged.rejected, plan.rules, table.source, run))
    if not plan.settled:
        final = plan.finish(plan.judged.valid)
        queries = [rejected, judged_counts(plan), written[0].of(final.drop(FLAGS)), final_counts(final)]
        _, judged, _, kept = pl.collect_all(queries, engine="streaming")
        return judged, kept
    with spool_folder(house.spool) as spool:
        # What contends for a key is known when the last row has been read; cleaning all rows twice would cost more.
        valid = spool / "valid.arrow"
        spooled = plan.judged.valid.select(plan.kept).sink_ipc(valid, compression="lz4", lazy=True)
        _, judged, _ = pl.collect_all([rejected, judged_counts(plan), spooled], engine="streaming")
        final = plan.finish(pl.scan_ipc(valid, glob=False))
        queries = [written[0].of(final.drop(FLAGS)), final_counts(final)]
        _, kept = pl.collect_all(queries, engine="streaming")
    return judged, kept


def open_chunk(house: Lakehouse, table: Table, window: Window) -> Chunk:
    """Read what the ledger and the file register know of a chunk's inputs."""
    tenant = window.tenant_id
    bronze = [name for name in table.reads if name in house.sources]
    held = house.ledger.read(tenants=[tenant], tables=[*table.reads, table.name])
    require_versions(house, [*table.reads, table.name])
    built = entries(held)
    register = house.files.read(tenants=[tenant], tables=bronze) if bronze else rows_of([], FILES_SCHEMA)
    known = [day for entry in built.values() for day in entry] + register["date"].to_list() + [window.first]
    files = {bronze[0]: landed_files(register)} if bronze else {}
    found = Fingerprints(house.tables, files, start=house.start, first=min(known))
    for name in table.reads:
        put_entries(found, name, built.get((name, tenant), {}))
    return Chunk(house, table, window, register, built, found)
