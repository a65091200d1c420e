"""The figures of a chunk: what was judged and what stands, counted in the stream, as reports by partition.

Belongs here: counting rows by date and mask, and adding them up. Not here: writing (`publish`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import polars as pl

from lakehouse_assets.lake.contract import Rule
from lakehouse_assets.lake.judge import BROKEN, DELETED, FLAGS, WARNED, rule_counts, rules_with
from lakehouse_assets.lake.report import PartitionReport
from lakehouse_assets.lake.step import Chunk, Plan

Row = tuple[Any, ...]


def judged_counts(plan: Plan) -> pl.LazyFrame:
    """Judged rows by date, broken and warned rules, and whether the row deletes its key."""
    schema = plan.judged.all.collect_schema()
    deleted = pl.col(DELETED) if DELETED in schema else pl.lit(value=False)
    return plan.judged.all.group_by("date", BROKEN, WARNED, deleted.alias(DELETED)).agg(pl.len())


def final_counts(final: pl.LazyFrame) -> pl.LazyFrame:
    """Rows that stand by date, whether they landed on it, and their flags."""
    schema = final.collect_schema()
    new = pl.col("_ingest_date") == pl.col("date") if "_ingest_date" in schema else pl.lit(value=True)
    flags = pl.col(FLAGS) if FLAGS in schema else pl.lit(0, pl.UInt64)
    return final.group_by("date", new.alias("new"), flags.alias(FLAGS)).agg(pl.len())


def reports_of(chunk: Chunk, plan: Plan, judged: pl.DataFrame, final: pl.DataFrame) -> list[PartitionReport]:
    """One report per date of the chunk; `refused` where more rows are rejected than the table accepts."""
    judged_by_day = _by_day(judged.select("date", BROKEN, WARNED, DELETED, "len"))
    final_by_day = _by_day(final.select("date", "new", FLAGS, "len"))
    rejects, warns = rules_with(plan.rules, "reject"), rules_with(plan.rules, "warn")
    return [
        _report(chunk, plan, day, judged_by_day.get(day, []), final_by_day.get(day, []), rejects, warns)
        for day in chunk.dates
    ]


def _by_day(counts: pl.DataFrame) -> dict[date, list[Row]]:
    found: dict[date, list[Row]] = {}
    for day, *rest in counts.iter_rows():
        found.setdefault(day, []).append(tuple(rest))
    return found


def _report(
    chunk: Chunk,
    plan: Plan,
    day: date,
    judged: Iterable[Row],
    final: Iterable[Row],
    rejects: list[Rule],
    warns: list[Rule],
) -> PartitionReport:
    table, judged, final = chunk.table, list(judged), list(final)
    total = sum(rows for *_, rows in judged)
    rejected = sum(rows for broken, _, _, rows in judged if broken)
    removed = sum(rows for broken, _, deleted, rows in judged if deleted and not broken)
    kept = sum(rows for is_new, _, rows in final if is_new or table.kind != "entity")
    counts = rule_counts(((broken, rows) for broken, _, _, rows in judged), rejects)
    counts |= rule_counts(((warned, rows) for _, warned, _, rows in judged), warns)
    for bit, flag in enumerate(plan.flag_names):
        counts[flag] = sum(rows for _, mask, rows in final if mask >> bit & 1)
    report = PartitionReport(
        tenant_id=chunk.window.tenant_id,
        date=day,
        rows_in=total,
        rows_kept=kept,
        rows_rejected=rejected,
        rows_duplicate=total - rejected - removed - kept if table.source is not None else 0,
        rows_deleted=removed,
        rows_expected=None if plan.expected is None else plan.expected.get(day, 0),
        rules=counts,
        input_fingerprint=chunk.fingerprints.of(table, day, chunk.bronze_entries).hex(),
    )
    if report.over(table.max_reject_share):
        worst = max((rule.id for rule in rejects), key=lambda rule: counts[rule])
        share = f"{rejected} of {total} rows are rejected, over {table.max_reject_share:.0%}"
        report.refused = f"{share}; most break {worst}; the rows are in {table.name.quarantine}"
    return report
