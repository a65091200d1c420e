"""Tables as Dagster assets: keys, partitions, lineage, checks and what each run shows.

Belongs here: everything that turns a `Table` into an asset definition. Not here: computing (`runner`), what the checks
say (`checks`), and automation (sensors, schedules), which lies with the project.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from lakehouse_assets.lake.alerts import Sink, alerts_for_checks, deliver
from lakehouse_assets.lake.checks import check_results, check_specs
from lakehouse_assets.lake.domain import Domain
from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.keys import asset_key, partition_key, partition_of
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import MaturedMonthEnds, Partition, SinceMonthEnd, Trailing, type_of_window
from lakehouse_assets.lake.recording import attach_metadata, record_materializations
from lakehouse_assets.lake.report import PartitionReport, StepReport
from lakehouse_assets.lake.runner import build
from lakehouse_assets.lake.table import Table

TENANTS = "tenant"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
# Bronze of later days is read for late rows; the graph shows the days within which most of them come.
LATE_DAYS = 3
SHOWN = 20
LINEAGE = "dagster/column_lineage"


def partitions_definition(start: date) -> dg.MultiPartitionsDefinition:
    """Tenant × date; today's and, for clocks ahead of ours, tomorrow's partition exist."""
    daily = dg.DailyPartitionsDefinition(start_date=start.isoformat(), end_offset=2)
    return dg.MultiPartitionsDefinition({"date": daily, "tenant": dg.DynamicPartitionsDefinition(name=TENANTS)})


def _mapping(table: Table, upstream: TableName, window: type_of_window) -> dg.PartitionMapping:
    if table.kind == "event" and upstream.layer == "bronze":
        return _dates(-1, LATE_DAYS)
    if isinstance(window, Trailing):
        return _dates(-(window.count - 1), 0)
    if isinstance(window, MaturedMonthEnds):
        return _dates(-(window.horizon + 31), 0)
    if isinstance(window, SinceMonthEnd):
        return _dates(-31, 0)
    return dg.IdentityPartitionMapping()


def _dates(first: int, last: int) -> dg.PartitionMapping:
    shifted = dg.TimeWindowPartitionMapping(
        start_offset=first, end_offset=last, allow_nonexistent_upstream_partitions=True
    )
    return dg.MultiPartitionMapping(
        {
            "date": dg.DimensionPartitionMapping("date", shifted),
            "tenant": dg.DimensionPartitionMapping("tenant", dg.IdentityPartitionMapping()),
        }
    )


def _column_schema(table: Table) -> dg.TableSchema:
    columns = [
        dg.TableColumn(
            name=column.name,
            type=str(column.dtype),
            description=column.description + (f" [{column.unit}]" if column.unit else ""),
            constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == (column.name,)),
        )
        for column in table.columns
    ]
    partition = [
        dg.TableColumn(name="tenant_id", type="String", description="Tenant"),
        dg.TableColumn(name="date", type="Date", description="Partition date"),
    ]
    return dg.TableSchema(columns=[*partition, *columns])


def _lineage(sources: Mapping[str, Sequence[Sequence[str]]]) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key(TableName.parse(name)), of) for name, of in read]
            for column, read in sources.items()
        }
    )


def asset_of(
    table: Table,
    domain: Domain,
    partitions: dg.PartitionsDefinition,
    *,
    uri: str,
    lineage: Mapping[str, Sequence[Sequence[str]]] | None = None,
) -> dg.AssetsDefinition:
    """The asset of a table. Its result is the run's figures; its rows are already in the lake."""
    metadata: dict[str, Any] = {
        "dagster/column_schema": _column_schema(table),
        "dagster/table_name": str(table.name),
        "dagster/uri": uri,
        "grain": table.description.splitlines()[0],
        "max_reject_share": table.max_reject_share,
        "windows": {str(name): str(window) for name, window in table.reads.items()},
    }
    if lineage:
        metadata[LINEAGE] = _lineage(lineage)
    code = table.function or table.contract
    if code is not None:
        metadata.update(_code_reference(code))

    @dg.asset(
        key=asset_key(table.name),
        deps=[
            dg.AssetDep(asset_key(name), partition_mapping=_mapping(table, name, window))
            for name, window in table.reads.items()
        ],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=check_specs(table),
        group_name=domain.name,
        owners=list(domain.owners),
        kinds={"polars", "deltalake", table.name.layer},
        tags={"layer": table.name.layer, "kind": table.kind},
        description=table.description,
        code_version=table.code_version,
        metadata=metadata,
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
        ),
        required_resource_keys={"lakehouse"},
    )
    def materialize(context):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - Dagster cannot read string annotations
        house: Lakehouse = context.resources.lakehouse.open()
        report = build(house, table.name, _asked_for(context), context.run.run_id)
        shown = {LINEAGE: metadata[LINEAGE]} if LINEAGE in metadata else {}
        yield from _events(context, table, report, context.resources.lakehouse.sinks(), shown)

    return materialize


def _code_reference(code: Any) -> dict[str, Any]:
    path, line = inspect.getsourcefile(code), inspect.getsourcelines(code)[1]
    reference = dg.LocalFileCodeReference(file_path=str(path), line_number=line, label=code.__name__)
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}


def _asked_for(context: dg.AssetExecutionContext) -> list[Partition]:
    """The run's partitions; raises SelectionError where its tags name some that Dagster did not resolve."""
    partitions = [partition_of(key) for key in context.partition_keys]
    first, last = context.run.tags.get(RANGE_START), context.run.tags.get(RANGE_END)
    if first and last:
        begin, end = partition_of(first), partition_of(last)
        if begin not in partitions or end not in partitions:
            raise SelectionError(
                f"the run's range {first} … {last} resolves to {len(partitions)} partitions that do not hold its ends: "
                "its tenants must stand in the order in which they were registered"
            )
    return partitions


def _events(
    context: dg.AssetExecutionContext,
    table: Table,
    report: StepReport,
    alert_sinks: Sequence[Sink],
    shown: Mapping[str, Any],
) -> Iterator[Any]:
    versions = {partition.partition: chunk for chunk in report.chunks for partition in chunk.written}
    metadata = {
        partition_key(partition.partition): _partition_metadata(partition, versions[partition.partition].table_version)
        for partition in report.written
    }
    shared = _step_metadata(report)
    checks = check_results(table, report)
    deliver(alerts_for_checks(checks, table=table.name, run_id=report.run_id, partitions=report.failed), alert_sinks)
    if not report.failed:
        # The UI takes the lineage of columns from the newest materialization only.
        metadata[context.partition_keys[-1]].update(shown)
        attach_metadata(context, metadata)
        yield dg.MaterializeResult(metadata=shared, check_results=checks)
        return
    # What succeeded is recorded before the step raises, or Dagster would forget it.
    record_materializations(context, metadata, shared=shared)
    yield from checks
    raise dg.Failure(
        f"{table.name}: {len(report.failed)} of {len(report.failed) + len(report.written)} partitions were not built. "
        + "; ".join(f"{p.tenant_id} {p.date}: {why}" for p, why in sorted(report.failed.items())[:SHOWN]),
        metadata={"failed_partitions": [partition_key(p) for p in sorted(report.failed)]},
        allow_retries=False,
    )


def _partition_metadata(partition: PartitionReport, version: int) -> dict[str, Any]:
    return {
        "dagster/partition_row_count": partition.rows_written,
        "rows_in": partition.rows_in,
        "rows_rejected": partition.rows_rejected,
        "quality_score": partition.quality_score,
        "delta_version": version,
    }


def _step_metadata(report: StepReport) -> dict[str, Any]:
    written = report.written
    figures = ("rows_in", "rows_kept", "rows_rejected", "rows_duplicate", "rows_deleted")
    shared: dict[str, Any] = {name: report.total(name) for name in figures}
    shared["dagster/row_count"] = sum(partition.rows_written for partition in written)
    shared["bytes_written"] = sum(chunk.bytes_written for chunk in report.chunks)
    shared["partitions_written"] = len(written)
    names = ("tenant_id", "date", *figures, "rows_written", "quality_score")
    rows = [
        dg.TableRecord({name: _plain(getattr(partition, name)) for name in names})
        for partition in sorted(report.judged, key=lambda p: (p.rows_rejected == 0, p.partition))[:SHOWN]
    ]
    if rows:
        schema = dg.TableSchema(
            [dg.TableColumn(name, type="string" if name in names[:2] else "float") for name in names]
        )
        shared["partitions"] = dg.MetadataValue.table(records=rows, schema=schema)
    broken = {rule: rows for rule, rows in report.rules.items() if rows}
    if broken:
        shared["rows_by_rule"] = broken
    return shared


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
