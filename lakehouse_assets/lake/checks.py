"""Checks: what an asset promises to be checked for, and what a step found.

Belongs here: the specs and results that Dagster shows, one for each rule. Not here: judging (`judge`, `runner`).
"""

from __future__ import annotations

import inspect
from typing import Any

import dagster as dg

from lakehouse_assets.lake.keys import asset_key, partition_key
from lakehouse_assets.lake.report import StepReport
from lakehouse_assets.lake.table import Table

SHOWN = 20


def check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """The checks of a table's asset: what holds for every table, one a rule, and its alerts."""
    key = asset_key(table.name)
    specs = [
        dg.AssetCheckSpec("reconciliation", asset=key, description="Rows in = kept + rejected + duplicate + deleted"),
        dg.AssetCheckSpec("quality", asset=key, description="Rows that broke no reject rule ÷ rows judged"),
    ]
    if table.kind == "bronze":
        specs.append(dg.AssetCheckSpec("files", asset=key, description="Every file that landed could be read"))
    for rule, description in rule_ids(table).items():
        specs.append(dg.AssetCheckSpec(rule, asset=key, description=description))
    for name, alert in table.alerts_by_name.items():
        specs.append(dg.AssetCheckSpec(name, asset=key, description=f"alert: {inspect.getdoc(alert)}"))
    return specs


def rule_ids(table: Table) -> dict[str, str]:
    """The rules of a table by the name of their check, with what each says; those that a source adds included."""
    found = {rule.id: f"{rule.action}: {rule.description}" for rule in table.judged_rules}
    return found | {name: f"flag: {says}" for name, says in table.set_flags.items()}


def check_results(table: Table, report: StepReport) -> list[dg.AssetCheckResult]:
    """What the checks of a table's asset say of a step."""
    judged, refused = report.judged, [p for p in report.judged if p.refused]
    rejected, total = report.total("rows_rejected"), report.total("rows_in")
    key = asset_key(table.name)

    def result(name: str, severity: dg.AssetCheckSeverity, *, passed: bool, **figures: Any) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(check_name=name, asset_key=key, passed=passed, severity=severity, metadata=figures)

    error, warning = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    figures = {
        name: report.total(name) for name in ("rows_in", "rows_kept", "rows_rejected", "rows_duplicate", "rows_deleted")
    }
    faulty = report.failed.keys() - {p.partition for p in refused}
    reconciled = all(p.is_reconciled for p in judged) and not faulty
    results = [
        result("reconciliation", error, passed=reconciled, **figures),
        result(
            "quality",
            error if refused else warning,
            passed=not rejected,
            quality_score=1 - rejected / total if total else 1.0,
            refused_partitions=[partition_key(p.partition) for p in refused][:SHOWN],
        ),
    ]
    if table.kind == "bronze":
        unread = [why for partition in judged for why in partition.refused_files]
        results.append(result("files", error, passed=not unread, refused_files=unread[:SHOWN]))
    counts = report.rules
    for rule in rule_ids(table):
        rows = counts.get(rule, 0)
        grave = error if any(p.rules.get(rule) for p in refused) else warning
        results.append(result(rule, grave, passed=rows == 0, rows=rows, share=rows / total if total else 0.0))
    for name in table.alerts_by_name:
        broken = [found for chunk in report.chunks for found in chunk.alerts.get(name, ())]
        shown = [{key: str(value) for key, value in figures.items()} for figures in broken[:SHOWN]]
        figures_of_alert = {"dates": len(broken), "broken": shown, "not_evaluated": len(faulty)}
        results.append(result(name, error, passed=not broken and not faulty, **figures_of_alert))
    return results
