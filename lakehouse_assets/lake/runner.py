"""One step: the requested partitions of one table in chunks, each judged and written in one streaming pass.

Belongs here: the order in which things happen, and what happens when one fails. Not here: what rows mean.

Per chunk: the sinks of valid and rejected rows and the counts run as one query; then the counts are known, partitions
over their reject share are refused, the quarantine is replaced first, the table last, and the ledger is written.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from lakehouse_assets.lake.bookkeeping import forget
from lakehouse_assets.lake.bronze import Desk, census, registered, take_in
from lakehouse_assets.lake.chunks import chunks
from lakehouse_assets.lake.compute import Chunk, Plan, carried_forward, plan_chunk
from lakehouse_assets.lake.errors import ComputationError, LakeError
from lakehouse_assets.lake.fingerprints import Fingerprints, put_entries
from lakehouse_assets.lake.judge import (
    BROKEN,
    DELETED,
    FLAGS,
    QUARANTINE_SCHEMA,
    WARNED,
    quarantined,
    rule_counts,
    rules_with,
)
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import FILES_SCHEMA, LEDGER_SCHEMA, Entry, entries, landed_files, rows_of
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, Window
from lakehouse_assets.lake.report import ChunkReport, PartitionReport, StepReport, receipt
from lakehouse_assets.lake.sink import Sink, Written
from lakehouse_assets.lake.storage import PARTITION_SCHEMA, replacing
from lakehouse_assets.lake.table import Table

log = logging.getLogger(__name__)
LONGEST_MESSAGE = 300


def build(house: Lakehouse, name: TableName, partitions: Iterable[Partition], run_id: str) -> StepReport:
    """Build partitions of a table; a chunk that fails does not stop the others."""
    table, now = house.table(name), datetime.now(UTC)
    report = StepReport(table=name, run_id=run_id, started_at=now)
    run = {"run_id": run_id, "quarantined_at": now}
    for window in chunks(house, table, partitions):
        try:
            chunk = (
                _bronze_chunk(house, table, window, run)
                if table.kind == "bronze"
                else _chunk(house, table, window, run)
            )
        except Exception as error:  # a table function may raise anything; the step goes on, reports it and fails
            log.exception("%s: %s %s … %s failed", name, window.tenant_id, window.first, window.last)
            message = f"{type(error).__name__}: {error if isinstance(error, LakeError) else _first_line(error)}"
            report.failed.update({Partition(window.tenant_id, day): message for day in window.dates()})
        else:
            report.chunks.append(chunk)
            refused = [partition for partition in chunk.partitions if partition.refused]
            report.failed.update({partition.partition: str(partition.refused) for partition in refused})
    return report


def _first_line(error: Exception) -> str:
    """Polars quotes rows in its messages; the first line says what is wrong."""
    return str(error).partition("\n")[0][:LONGEST_MESSAGE]


def _bronze_chunk(house: Lakehouse, table: Table, window: Window, run: dict[str, Any]) -> ChunkReport:
    source = house.sources[table.name]
    tenant, dates = window.tenant_id, window.dates()
    with Desk(house) as desk:
        intake = take_in(house, table, source, tenant, dates, desk, run)
        sinks = _sinks(house, table)
        results = pl.collect_all(
            [sinks[0].of(intake.rows), sinks[1].of(intake.malformed), census(intake.rows, source)], engine="streaming"
        )
        desk.verify(intake.opened)
    counted = results[2]
    opened = [registered(table.name, source, one, counted, run["run_id"]) for one in intake.opened]
    register = pl.concat([intake.known, rows_of(opened, FILES_SCHEMA)])
    found = Fingerprints(house.tables, {table.name: landed_files(register)}, start=house.start, first=dates[0])
    reports = []
    for day in dates:
        files = register.filter(pl.col("date") == day)
        records, rows, malformed = (int(files[name].sum()) for name in ("records", "rows", "malformed"))
        refused = files.filter(pl.col("refused").is_not_null())
        reports.append(
            PartitionReport(
                tenant_id=tenant,
                date=day,
                rows_in=records,
                rows_kept=rows,
                rows_rejected=malformed,
                input_fingerprint=found.of(table, day).hex(),
                refused_files=tuple(f"{path}: {why}" for path, why in refused.select("path", "refused").iter_rows()),
            )
        )
    chunk = _write(house, table, window, run, sinks, reports, inputs={})
    house.files.replace(register, drop={(tenant, table.name): dates})
    _enter(house, table, tenant, chunk, run)
    return chunk


def _chunk(house: Lakehouse, table: Table, window: Window, run: dict[str, Any]) -> ChunkReport:
    chunk = open_chunk(house, table, window)
    plan = plan_chunk(chunk)
    if table.carries_forward:
        sources = [carried_forward(chunk, day) for day in window.dates()]
        if all(sources):
            plan = _copied(chunk, plan, [day for day in sources if day is not None])
    sinks = _sinks(house, table)
    rejected = quarantined(plan.judged.rejected, plan.rules, table.source, run)
    final = plan.final.drop(FLAGS, strict=False)
    results = pl.collect_all(
        [sinks[0].of(final), sinks[1].of(rejected), _judged_counts(plan, table), _final_counts(plan)],
        engine="streaming",
    )
    reports = _reports(chunk, plan, results[2], results[3])
    inputs = {str(name): opened.version() for name in table.reads if (opened := house.lake.open(name, refresh=False))}
    report = _write(house, table, window, run, sinks, reports, inputs)
    _enter(house, table, window.tenant_id, report, run)
    return report


def open_chunk(house: Lakehouse, table: Table, window: Window) -> Chunk:
    """Read what the ledger and the file register know of a chunk's inputs."""
    tenant = window.tenant_id
    bronze = [name for name in table.reads if name in house.sources]
    built = entries(house.ledger.read(tenants=[tenant], tables=[*table.reads, table.name]))
    register = house.files.read(tenants=[tenant], tables=bronze) if bronze else rows_of([], FILES_SCHEMA)
    known = [day for entry in built.values() for day in entry] + register["date"].to_list() + [window.first]
    files = {bronze[0]: landed_files(register)} if bronze else {}
    found = Fingerprints(house.tables, files, start=house.start, first=min(known))
    for name in table.reads:
        put_entries(found, name, built.get((name, tenant), {}))
    return Chunk(house, table, window, register, built, found)


def _copied(chunk: Chunk, plan: Plan, sources: Sequence[date]) -> Plan:
    parts = [
        chunk.scan(chunk.table.name, [source]).with_columns(pl.lit(day).alias("date"))
        for source, day in zip(sources, chunk.dates, strict=True)
    ]
    final = pl.concat(parts)
    nothing = pl.lit(0, pl.UInt64)
    judged = final.with_columns(nothing.alias(BROKEN), nothing.alias(FLAGS), nothing.alias(WARNED))
    empty = judged.filter(pl.lit(value=False))
    return Plan(judged=plan.judged._replace(all=judged, valid=judged, rejected=empty), final=final, rules=plan.rules)


def _sinks(house: Lakehouse, table: Table) -> tuple[Sink, Sink]:
    house.lake.ensure(table.name, {**table.schema, **PARTITION_SCHEMA})
    house.lake.ensure(table.name.quarantine, QUARANTINE_SCHEMA)
    return house.lake.sink(table.name), house.lake.sink(table.name.quarantine)


def _judged_counts(plan: Plan, table: Table) -> pl.LazyFrame:
    deleted = pl.col(DELETED) if table.source is not None else pl.lit(value=False)
    return plan.judged.all.group_by("date", BROKEN, WARNED, deleted.alias(DELETED)).agg(pl.len())


def _final_counts(plan: Plan) -> pl.LazyFrame:
    schema = plan.final.collect_schema()
    new = pl.col("_ingest_date") == pl.col("date") if "_ingest_date" in schema else pl.lit(value=True)
    flags = pl.col(FLAGS) if FLAGS in schema else pl.lit(0, pl.UInt64)
    return plan.final.group_by("date", new.alias("new"), flags.alias(FLAGS)).agg(pl.len())


def _reports(chunk: Chunk, plan: Plan, judged: pl.DataFrame, final: pl.DataFrame) -> list[PartitionReport]:
    table, rejects, warns = chunk.table, rules_with(plan.rules, "reject"), rules_with(plan.rules, "warn")
    by_day = {day: part for (day,), part in judged.group_by("date")}
    final_by_day = {day: part for (day,), part in final.group_by("date")}
    reports = []
    for day in chunk.dates:
        rows = by_day.get(day, judged.clear())
        ended = final_by_day.get(day, final.clear())
        total, rejected = int(rows["len"].sum()), int(rows.filter(pl.col(BROKEN) != 0)["len"].sum())
        deleted = int(rows.filter((pl.col(BROKEN) == 0) & pl.col(DELETED))["len"].sum())
        stays = ended.filter(pl.col("new")) if table.kind == "entity" else ended
        kept = int(stays["len"].sum())
        counts = rule_counts(rows.select(BROKEN, "len").iter_rows(), rejects)
        counts |= rule_counts(rows.select(WARNED, "len").iter_rows(), warns)
        for bit, flag in enumerate(plan.flag_names):
            counts[flag] = sum(n for mask, n in ended.select(FLAGS, "len").iter_rows() if mask >> bit & 1)
        share = f"{rejected} of {total} rows are rejected, over {table.max_reject_share:.0%}"
        report = PartitionReport(
            tenant_id=chunk.window.tenant_id,
            date=day,
            rows_in=total,
            rows_kept=kept,
            rows_rejected=rejected,
            rows_duplicate=total - rejected - deleted - kept if table.source is not None else 0,
            rows_deleted=deleted,
            rows_expected=None if plan.expected is None else plan.expected.get(day, 0),
            rules=counts,
            input_fingerprint=chunk.fingerprints.of(table, day, _bronze_code(chunk)).hex(),
        )
        if report.over(table.max_reject_share):
            worst = max((rule.id for rule in rejects), key=lambda rule: counts[rule])
            report.refused = f"{share}; most break {worst}; the rows are in {table.name.quarantine}"
        reports.append(report)
    return reports


def _bronze_code(chunk: Chunk) -> Any:
    return chunk.built(next(iter(chunk.table.inputs.values())).table) if chunk.table.source is not None else None


def _write(
    house: Lakehouse,
    table: Table,
    window: Window,
    run: dict[str, Any],
    sinks: tuple[Sink, Sink],
    reports: list[PartitionReport],
    inputs: dict[str, int],
) -> ChunkReport:
    """Count what was written from the files, refuse what is not right, then commit quarantine and table."""
    tenant, dates, lake = window.tenant_id, window.dates(), house.lake
    bounded = [*table.key, "_business_date", "_ingest_date"]
    added = lake.describe(sinks[0], table.schema, bounded)
    set_aside = lake.describe(sinks[1], QUARANTINE_SCHEMA)
    _guard(table, window, [*added, *set_aside])
    for report in reports:
        mine = [file for file in added if file.partition["date"] == report.date.isoformat()]
        report.rows_written = sum(file.statistics["numRecords"] for file in mine)
        if table.kind in ("event", "derived", "bronze") and report.rows_written != report.rows_kept:
            raise ComputationError(
                f"{table.name} {tenant} {report.date}: {report.rows_written} rows were written,"
                f" {report.rows_kept} counted"
            )
        if not report.is_reconciled:
            raise ComputationError(
                f"{table.name} {tenant} {report.date}: {report.rows_in} rows were judged,"
                f" {report.rows_expected} are upstream; kept {report.rows_kept}, rejected {report.rows_rejected},"
                f" duplicate {report.rows_duplicate}, deleted {report.rows_deleted} do not add up"
            )
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
        _forget_other_builds(house, table, built)
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
    )


def _forget_other_builds(house: Lakehouse, table: Table, built: Sequence[PartitionReport]) -> None:
    """Take out the ledger entries that the next commit makes untrue, so that a step killed after it leaves none."""
    tenant = built[0].tenant_id
    held = entries(house.ledger.read(tenants=[tenant], tables=[table.name])).get((table.name, tenant), {})
    other = [
        report.date
        for report in built
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


def _enter(house: Lakehouse, table: Table, tenant: str, chunk: ChunkReport, run: dict[str, Any]) -> None:
    """Write the ledger, after the commit that it describes."""
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
