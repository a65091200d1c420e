"""What runs by itself: the landing sensor, the nights, freshness by tenant, and alerts of failed runs.

Belongs here: what lands, and all sensors and schedules in one place. Not here: the nights (`nights`), which runs can
start together (`waves`), and what they do (`lake.runner`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

import dagster as dg

from lakehouse_assets.backfill import ORIGIN
from lakehouse_assets.house import open_house, tables
from lakehouse_assets.lake.alerts import run_failure_alerts, sinks
from lakehouse_assets.lake.assets import TENANTS
from lakehouse_assets.lake.freshness import TOLD, figures, stale_tenants, tell_of_stale_tenants, told_before
from lakehouse_assets.lake.keys import asset_key
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import LandingFile
from lakehouse_assets.lake.ledger import LEDGER
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, Rectangle, rectangles
from lakehouse_assets.lake.plan import plan_of_landings, without_blocked
from lakehouse_assets.nights import nightly_schedules, nights_sensor
from lakehouse_assets.settings import Settings
from lakehouse_assets.waves import MOST_BYTES_TO_SURVEY, UNFINISHED_RUNS, assets_of, first_groups, run_request

LANDING = "landing"
# What lands is to show within a minute: a tick, a process for the run, and the run must fit in.
TICK_SECONDS = 10
FRESHNESS = dg.AssetCheckKey(asset_key(LEDGER), "fresh_for_every_tenant")


def _seen(files: Iterable[LandingFile]) -> dict[str, str]:
    """One digest a tenant over what has landed: it changes with any new, changed or removed file."""
    digests: dict[str, object] = {}
    for file in files:
        digest = digests.setdefault(file.tenant_id, blake2b(digest_size=12))
        digest.update(f"{file.path}\0{file.size_bytes}\0{file.modified_at.timestamp()}\0".encode())  # type: ignore[attr-defined]
    return {tenant: digest.hexdigest() for tenant, digest in digests.items()}  # type: ignore[attr-defined]


def run_requests(
    build: Mapping[TableName, Collection[Partition]], order: Sequence[str], salt: str
) -> dict[str, tuple[dg.RunRequest, tuple[TableName, ...], Rectangle]]:
    """The runs of a plan that can start together, by run key."""
    found = {}
    for group in first_groups(build):
        for rectangle in rectangles(group.partitions, order):
            request = run_request(group.tables, rectangle, LANDING, salt)
            found[str(request.run_key)] = (request, group.tables, rectangle)
    return found


def evaluate_landing(
    house: Lakehouse, instance: dg.DagsterInstance, cursor: str | None
) -> tuple[list[dg.RunRequest], list[str], str, str | None]:
    """One tick: the runs to start, the tenants to register, the next cursor, and why nothing starts.

    A plan is carried out wave by wave: what reads late rows starts when they are there. A run that failed is asked for
    again only when its inputs change, for its key names them.
    """
    state = json.loads(cursor) if cursor else {"seen": {}, "pending": {}}
    listing = house.landing.list(sources=house.sources.values())
    seen = _seen(listing.files)
    if state["seen"] and not seen and not house.landing.tenants().tenant_ids:
        # A share that is not mounted looks like this: no lake is emptied for it.
        return [], [], json.dumps(state), f"there is no tenant left in {house.landing.root}: is it the landing zone?"
    changed = {tenant for tenant, digest in seen.items() if state["seen"].get(tenant) != digest}
    changed |= state["seen"].keys() - seen.keys()
    pending: dict[str, list[str]] = {tenant: [] for tenant in changed} | {
        tenant: keys for tenant, keys in state["pending"].items() if tenant not in changed
    }
    quiet = json.dumps({"seen": seen, "pending": pending})
    if not pending:
        return [], [], quiet, "nothing has landed since the last tick"
    filters = dg.RunsFilter(statuses=UNFINISHED_RUNS, tags={ORIGIN: LANDING})
    if instance.get_runs_count(filters):
        return [], [], quiet, "the runs of an earlier landing are not finished"
    known = list(instance.get_dynamic_partitions(TENANTS))
    new = sorted(set(pending) - set(known))
    size = sum(file.size_bytes for file in listing.files if file.tenant_id in changed)
    plan = plan_of_landings(house, list(pending), only_registered=size > MOST_BYTES_TO_SURVEY)
    started: dict[str, dg.RunRequest] = {}
    tried = {key for keys in pending.values() for key in keys}
    failed: dict[TableName, set[Partition]] = {}
    while True:
        wave = run_requests(without_blocked(house, plan.build, failed), [*known, *new], _salt(seen, pending))
        if not wave:
            break
        started = {key: request for key, (request, _, _) in wave.items() if key not in tried}
        if started:
            break
        # Asked for before with the very same inputs and still not built: go on with what does not read it.
        for _, names, rectangle in wave.values():
            for name in names:
                failed.setdefault(name, set()).update(rectangle.partitions())
    waiting = {tenant: sorted(tried | set(started)) for tenant in pending} if started else {}
    reached = json.dumps({"seen": seen, "pending": waiting})
    return list(started.values()), new, reached, None if started else "all that has landed is built"


def _salt(seen: Mapping[str, str], pending: Iterable[str]) -> str:
    versions = "".join(table.code_version for table in tables().values())
    return versions + "".join(seen.get(tenant, "") for tenant in sorted(pending))


def _landing_sensor() -> dg.SensorDefinition:
    @dg.sensor(
        name="landing",
        target=assets_of(),
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Builds what new, late and corrected files affect; registers new tenants.",
    )
    def landing(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        house = open_house()
        for path, fault in house.landing.unclaimed(house.sources.values()):
            context.log.warning("not ingested: %s: %s", path, fault)
        requests, new, reached, reason = evaluate_landing(house, context.instance, context.cursor)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=reason if not requests else None,
            cursor=reached,
            dynamic_partitions_requests=[dg.DynamicPartitionsDefinition(name=TENANTS).build_add_request(new)]
            if new
            else [],
        )

    return landing


def checks() -> list[dg.AssetChecksDefinition]:
    """Freshness by tenant, as a check of the ledger that it reads: backfills of old dates do not run it."""

    @dg.asset_check(
        asset=asset_key(LEDGER),
        name=FRESHNESS.name,
        description="No tenant that lands waits for the newest day of a gold table; sends an alert when one begins to",
    )
    def fresh_for_every_tenant(context):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - Dagster cannot read string annotations
        house = open_house()
        stale = stale_tenants(house, house.landing.tenants().tenant_ids, datetime.now(UTC).date())
        waiting = {name: found for name, found in stale.items() if found and name.layer == "gold"}
        told = tell_of_stale_tenants(
            waiting,
            told_before(context.instance, FRESHNESS),
            sinks(Settings.from_environment().alert_webhook),
            run_id=context.run.run_id,
        )
        return dg.AssetCheckResult(
            passed=not waiting,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"stale_tenants_by_table": {str(name): figures(found) for name, found in waiting.items()}}
            | {TOLD: told},
        )

    return [fresh_for_every_tenant]


def sensors() -> list[dg.SensorDefinition]:
    """The landing sensor, the one that goes on with the nights, and the alerts of failed runs."""
    return [_landing_sensor(), nights_sensor(), run_failure_alerts(Settings.from_environment().alert_webhook)]


def schedules() -> list[dg.ScheduleDefinition]:
    """The nights, and the check of freshness when they are over."""
    return [
        *nightly_schedules(),
        dg.ScheduleDefinition(
            name="freshness_by_tenant_daily",
            cron_schedule="0 4 * * *",
            execution_timezone="UTC",
            target=dg.AssetSelection.checks(*checks()),
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Checks that no tenant was left behind.",
        ),
    ]
