"""Backfill: carry out a plan with as few runs as possible, in this process or by the daemon's queue.

Belongs here: groups of a plan as runs over rectangles, and going on past failures. Not here: planning (`lake.plan`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import cast

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from lakehouse_assets.lake.assets import RANGE_END, RANGE_START, TENANTS
from lakehouse_assets.lake.keys import asset_key, partition_key, partition_of
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import RefusedPath
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, Rectangle, rectangles
from lakehouse_assets.lake.plan import BuildPlan, make_plan, without_blocked

ORIGIN = "lakehouse/origin"
# Events go to the instance, where the UI shows them; what failed is in the result.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class BackfillResult:
    """What a backfill did: partitions built and failed by table, with the reasons that the runs gave.

    `refused` are the paths in the landing zone that were not taken for landed files.
    """

    built: dict[TableName, set[Partition]] = field(default_factory=dict)
    failed: dict[TableName, set[Partition]] = field(default_factory=dict)
    not_built: dict[TableName, set[Partition]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    refused: list[RefusedPath] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return not any(self.failed.values()) and not any(self.not_built.values())

    def count(self, which: str) -> int:
        return sum(len(partitions) for partitions in getattr(self, which).values())


def register_tenants(instance: dg.DagsterInstance, tenants: Collection[str]) -> list[str]:
    """Register tenants that are new; return all in registration order."""
    known = list(instance.get_dynamic_partitions(TENANTS))
    if new := sorted(set(tenants) - set(known)):
        instance.add_dynamic_partitions(TENANTS, new)
        return list(instance.get_dynamic_partitions(TENANTS))
    return known


def run_tags(rectangle: Rectangle, origin: str) -> dict[str, str]:
    """The tags that make a run cover a rectangle."""
    first = Partition(rectangle.tenants[0], rectangle.first)
    last = Partition(rectangle.tenants[-1], rectangle.last)
    return {RANGE_START: partition_key(first), RANGE_END: partition_key(last), ORIGIN: origin}


def backfill(
    house: Lakehouse,
    selected: Collection[TableName],
    tenants: Collection[str] | None,
    first: date,
    last: date,
    *,
    instance: dg.DagsterInstance,
    rebuild: bool = False,
    progress: Callable[[BackfillResult, int], None] | None = None,
) -> BackfillResult:
    """Build what a plan lists, upstream first, in this process, until a new plan lists nothing that can be built.

    What fails does not stop what does not read it. Where there are new files and more than one run, bronze goes first:
    it tells the dates of late rows, and so what else they affect.
    """
    result, before = BackfillResult(), None
    while True:
        plan = make_plan(house, selected, tenants, first, last, only_registered=True, rebuild=rebuild)
        result.refused = plan.refused
        pending = without_blocked(house, plan.build, result.failed)
        state = (pending, plan.new_files)
        if state == before or not any(pending.values()):
            result.not_built = {name: plan.build[name] - result.failed.get(name, set()) for name in plan.build}
            return result
        before = state
        order = register_tenants(instance, {p.tenant_id for partitions in pending.values() for p in partitions})
        runs = list(runs_of(pending, order))
        bronze = {name: partitions for name, partitions in pending.items() if name.layer == "bronze" and partitions}
        if plan.new_files and bronze and len(runs) > 1:
            runs = list(runs_of(bronze, order))
        else:
            rebuild = False
        for tables, rectangle in runs:
            # What reads something that has failed by now would be built without it; the next plan has the others.
            ready = without_blocked(house, plan.build, result.failed) if result.failed else pending
            if not all(ready[name].issuperset(rectangle.partitions()) for name in tables):
                continue
            _run(tables, rectangle, instance, result)
            if progress:
                progress(result, plan.size)


def runs_of(
    pending: Mapping[TableName, Collection[Partition]], order: Sequence[str]
) -> Iterator[tuple[tuple[TableName, ...], Rectangle]]:
    """The runs of a plan, in the order in which they can follow one another."""
    for group in BuildPlan(build={name: set(found) for name, found in pending.items()}).groups():
        for rectangle in rectangles(group.partitions, order):
            yield group.tables, rectangle


def _run(
    tables: Sequence[TableName], rectangle: Rectangle, instance: dg.DagsterInstance, result: BackfillResult
) -> None:
    """One run in this process; what it built and what failed goes into the result."""
    from lakehouse_assets.definitions import defs

    job = defs.resolve_implicit_global_asset_job_def()
    run = job.execute_in_process(
        asset_selection=[asset_key(name) for name in tables],
        tags=run_tags(rectangle, "backfill"),
        instance=instance,
        raise_on_error=False,
        run_config=QUIET,
    )
    result.runs.append(run.run_id)
    cells = set(rectangle.partitions())
    names = {asset_key(name): name for name in tables}
    steps = {"__".join(name.key): name for name in names.values()}
    for event in run.all_events:
        name = steps.get(event.step_key or "")
        if name is None:
            continue
        if event.is_step_success:
            result.built.setdefault(name, set()).update(cells)
        elif event.is_step_failure:
            failed = _failed_partitions(event) or cells
            result.failed.setdefault(name, set()).update(failed)
            result.built.setdefault(name, set()).update(cells - failed)
            result.reasons.append(_reason(name, event))


def _failed_partitions(event: dg.DagsterEvent) -> set[Partition]:
    told = event.step_failure_data.user_failure_data
    listed = told.metadata.get("failed_partitions") if told else None
    return {partition_of(str(key)) for key in cast("Iterable[object]", listed.value)} if listed is not None else set()


def _reason(name: TableName, event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    return f"{name}: {data.error.message.strip() if data.error else 'the step failed without saying why'}"


def queue(
    house: Lakehouse,
    selected: Collection[TableName],
    tenants: Collection[str] | None,
    first: date,
    last: date,
    *,
    instance: dg.DagsterInstance,
    rebuild: bool = False,
) -> list[str]:
    """Hand a plan to the daemon as one backfill, which starts its runs upstream first; return the backfill's id.

    Empty where the plan is. New files are read here, to learn the dates of late rows.
    """
    from lakehouse_assets.definitions import defs

    plan = make_plan(house, selected, tenants, first, last, rebuild=rebuild)
    if plan.is_empty:
        return []
    register_tenants(instance, {p.tenant_id for partitions in plan.build.values() for p in partitions})
    asked = {
        AssetKeyPartitionKey(asset_key(name), partition_key(partition))
        for name, partitions in plan.build.items()
        for partition in partitions
    }
    now = time.time()
    backfill_id = make_new_backfill_id()
    with partition_loading_context(dynamic_partitions_store=instance):
        subset = AssetGraphSubset.from_asset_partition_set(asked, defs.resolve_asset_graph())
        queued = PartitionBackfill.from_asset_graph_subset(
            backfill_id=backfill_id,
            backfill_timestamp=now,
            tags={ORIGIN: "queue"},
            dynamic_partitions_store=instance,
            asset_graph_subset=subset,
            title=f"lakehouse backfill {first} … {last}",
            description=None,
            run_config=None,
        )
    instance.add_backfill(queued)
    return [backfill_id]
