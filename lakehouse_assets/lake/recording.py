"""How a step tells Dagster about its partitions: metadata for each, and what succeeded where the step fails.

Belongs here: the few calls that Dagster's public interface lacks, or has at a cost that grows with the square
of the partitions. Not here: what the metadata says (`runner`) and how events are stored (`event_log`).

They lean on private parts of Dagster, which test_upstream_event_log.py pins.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, cast

from dagster import AssetExecutionContext, AssetKey, AssetMaterialization, DagsterEvent, Output
from dagster._core.definitions.assets.definition.asset_spec import AssetExecutionType
from dagster._core.events import DagsterEventBatchMetadata
from dagster._core.execution.context.metadata_logging import AssetMetadataHandle, OutputMetadataAccumulator
from dagster._core.execution.plan.execute_step import _get_output_asset_events

from lakehouse_assets.lake.errors import SelectionError


def attach_metadata(
    context: AssetExecutionContext, metadata: Mapping[str, Mapping[str, Any]], *, asset_key: AssetKey | None = None
) -> None:
    """Give each partition of the running step its own metadata, to be written with its materialization.

    What `context.add_asset_metadata(…, partition_key=…)` does, for all partitions in one pass: the public call
    lists every partition of the run and copies all metadata so far, so that a thousand calls take 13 s.
    `asset_key` is needed where the step has several assets. Call it before the step's result is yielded.

    Raises:
        SelectionError: a key is no partition of this run.
    """
    key = asset_key or context.asset_key
    if unknown := sorted(set(metadata).difference(context.partition_keys)):
        raise SelectionError(
            f"{key.to_user_string()}: metadata for {len(unknown)} partitions that this run does not cover,"
            f" the first {unknown[0]!r}; give it for those in context.partition_keys"
        )
    step = context.get_step_execution_context()
    known = step._metadata_accumulator.per_output_metadata  # noqa: SLF001
    merged = dict(known)
    for partition, values in metadata.items():
        handle = AssetMetadataHandle(asset_key=key, partition_key=partition)
        merged[handle] = {**known.get(handle, {}), **values}
    step._metadata_accumulator = OutputMetadataAccumulator(per_output_metadata=merged)  # noqa: SLF001


def record_materializations(
    context: AssetExecutionContext,
    metadata: Mapping[str, Mapping[str, Any]],
    *,
    shared: Mapping[str, Any] | None = None,
    asset_key: AssetKey | None = None,
) -> int:
    """Record partitions as materialized now, in batches, and return how many; for a step that is about to raise.

    `metadata` maps the partitions that succeeded, all of this run, to their own metadata; `shared` goes to each of
    them, as the metadata of a `MaterializeResult` would. The events are those of a step that succeeds, tags and
    attribution included. A step that calls this must raise, not yield a result: that would record its
    partitions again. Check results yielded after this call name the newest of these materializations as their target.

    Raises:
        SelectionError: a key is no partition of this run.
    """
    if not metadata:
        return 0
    key = asset_key or context.asset_key
    attach_metadata(context, metadata, asset_key=key)
    step = context.get_step_execution_context()
    output_name = context.assets_def.get_output_name_for_asset_key(key)
    events = _get_output_asset_events(
        key,
        [partition for partition in context.partition_keys if partition in metadata],
        Output(None, output_name=output_name, metadata=shared),
        step.op_def.output_def_named(output_name),
        {},
        step,
        AssetExecutionType.MATERIALIZATION,
    )
    batch = str(uuid.uuid4())
    for number, event in enumerate(cast("Iterator[AssetMaterialization]", events), start=1):
        is_end = number == len(metadata)
        DagsterEvent.asset_materialization(step, event, DagsterEventBatchMetadata(batch, is_end))
    return len(metadata)
