"""Nights: what closes the day that has ended, for every tenant, and goes on until all of it is built.

Belongs here: the two nightly schedules, and the sensor that goes on with what they began. Not here: what a run does
(`lake.runner`), and what lands by day (`automation`).

A schedule ticks once, and a plan may need several waves: a late row moves the dates of its events, and a change of
code may need old bronze before today's silver. So the tick starts the first wave and the sensor every later one. What
they know of a night is in the tags of its runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import date, timedelta

import dagster as dg

from lakehouse_assets.backfill import ORIGIN, register_tenants
from lakehouse_assets.house import open_house, tables
from lakehouse_assets.lake.assets import RANGE_END, RANGE_START
from lakehouse_assets.lake.keys import asset_key, partition_of
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, Rectangle, rectangles
from lakehouse_assets.lake.plan import BuildPlan, make_plan, without_blocked
from lakehouse_assets.waves import MOST_BYTES_TO_SURVEY, UNFINISHED_RUNS, assets_of, first_groups, run_request

# The day that a run of a night closes.
NIGHT = "lakehouse/night"
HOURS = {"bronze_to_silver_daily": 2, "silver_to_gold_daily": 3}
LAYERS = {"bronze_to_silver_daily": ("bronze", "silver"), "silver_to_gold_daily": ("gold", "platinum")}
TICK_SECONDS = 30
type_of_parts = dict[frozenset[TableName], set[Partition]]


def evaluate_night(
    house: Lakehouse, instance: dg.DagsterInstance, day: date, layers: Collection[str], name: str
) -> list[dg.RunRequest]:
    """The runs to start now of those that close a day for every tenant: states are carried forward even where nothing
    landed.

    They build what the plan lists and nothing else: what retention dropped stays away unless something is built from
    it. Every tenant goes its own way through its plan, and those that want the very same share runs. What a run of
    this night has failed to build is not asked for again, and neither is what reads it. Registers new tenants.
    """
    plan = _plan(house, day, layers)
    by_tenant: dict[str, dict[TableName, set[Partition]]] = {}
    for table, partitions in plan.build.items():
        for partition in partitions:
            by_tenant.setdefault(partition.tenant_id, {}).setdefault(table, set()).add(partition)
    order = register_tenants(instance, by_tenant)
    tried = _asked_for(instance, day, name, order)
    together: dict[tuple[TableName, ...], set[Partition]] = {}
    for build in by_tenant.values():
        for names, partitions in _next_wave(house, build, tried).items():
            together.setdefault(names, set()).update(partitions)
    return [
        run_request(names, rectangle, name, str(day), {NIGHT: str(day)})
        for names, partitions in together.items()
        for rectangle in rectangles(partitions, order)
    ]


def _plan(house: Lakehouse, day: date, layers: Collection[str]) -> BuildPlan:
    selected = [table for table in house.tables if table.layer in layers]
    plan = make_plan(house, selected, None, day, day, only_registered=True)
    if sum(file.size_bytes for file in plan.new_files) > MOST_BYTES_TO_SURVEY:
        return plan
    return make_plan(house, selected, None, day, day)


def _next_wave(
    house: Lakehouse, build: Mapping[TableName, Collection[Partition]], tried: type_of_parts
) -> dict[tuple[TableName, ...], set[Partition]]:
    """What of a tenant's plan can start now, by the tables of a run."""
    failed: dict[TableName, set[Partition]] = {}
    while groups := list(first_groups(without_blocked(house, build, failed))):
        parts = {group.tables: group.partitions - tried.get(frozenset(group.tables), set()) for group in groups}
        if any(parts.values()):
            return {names: set(partitions) for names, partitions in parts.items() if partitions}
        # Asked for before and still not built: go on with what does not read it.
        for group in groups:
            for table in group.tables:
                failed.setdefault(table, set()).update(group.partitions)
    return {}


def _asked_for(instance: dg.DagsterInstance, day: date, name: str, order: list[str]) -> type_of_parts:
    """What the runs of a night have covered, by their tables."""
    found: type_of_parts = {}
    for run in instance.get_runs(dg.RunsFilter(tags={ORIGIN: name, NIGHT: str(day)})):
        names = frozenset(table for table in tables() if asset_key(table) in (run.asset_selection or ()))
        first, last = partition_of(run.tags[RANGE_START]), partition_of(run.tags[RANGE_END])
        if not {first.tenant_id, last.tenant_id} <= set(order):
            continue  # a tenant that is registered no more
        tenants = tuple(order[order.index(first.tenant_id) : order.index(last.tenant_id) + 1])
        found.setdefault(names, set()).update(Rectangle(first.date, last.date, tenants).partitions())
    return found


def evaluate_nights(
    house: Lakehouse, instance: dg.DagsterInstance, cursor: str | None
) -> tuple[list[dg.RunRequest], str]:
    """Go on with the nights whose runs have all ended: the runs to start, and the next cursor.

    The cursor holds, for each schedule, the run after which nothing was left, so that a night that is over costs no
    plan.
    """
    over = json.loads(cursor) if cursor else {}
    found: list[dg.RunRequest] = []
    for name, layers in LAYERS.items():
        newest = next(iter(instance.get_runs(dg.RunsFilter(tags={ORIGIN: name}), limit=1)), None)
        if newest is None or NIGHT not in newest.tags or newest.run_id == over.get(name):
            continue
        if instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED_RUNS, tags={ORIGIN: name})):
            continue
        requests = evaluate_night(house, instance, date.fromisoformat(newest.tags[NIGHT]), layers, name)
        if not requests:
            over[name] = newest.run_id
        found += requests
    return found, json.dumps(over)


def nights_sensor() -> dg.SensorDefinition:
    """Goes on with the nights that the schedules began."""

    @dg.sensor(
        name="nights",
        target=assets_of(),
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Goes on with what a nightly schedule began, when what it needs first is built.",
    )
    def nights(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        requests, reached = evaluate_nights(open_house(), context.instance, context.cursor)
        reason = None if requests else "no night waits for anything"
        return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=reached)

    return nights


def nightly_schedules() -> list[dg.ScheduleDefinition]:
    """02:00 UTC bronze and silver, 03:00 UTC gold and platinum, of the day before."""
    return [_nightly(name, hour) for name, hour in HOURS.items()]


def _nightly(name: str, hour: int) -> dg.ScheduleDefinition:
    layers = LAYERS[name]

    @dg.schedule(
        name=name,
        cron_schedule=f"0 {hour} * * *",
        execution_timezone="UTC",
        target=assets_of(*layers),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Builds {' and '.join(layers)} of the day that has ended, for every tenant.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        day = context.scheduled_execution_time.date() - timedelta(days=1)
        requests = evaluate_night(open_house(), context.instance, day, layers, name)
        return requests or dg.SkipReason(f"{day} is built for every tenant")

    return nightly
