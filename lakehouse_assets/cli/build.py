"""`lakehouse plan` and `lakehouse backfill`, and what other commands build with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.table import Table as Grid

from lakehouse_assets.cli.instance import dagster_instance
from lakehouse_assets.cli.show import dates_in_words, grid, in_colour, progress, say, say_json
from lakehouse_assets.house import open_house
from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import RefusedPath
from lakehouse_assets.lake.names import TableName, check_tenant
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.plan import BuildPlan, make_plan
from lakehouse_assets.lake.retention import DROPPED
from lakehouse_assets.selection import select as select_tables

if TYPE_CHECKING:
    import dagster as dg

    from lakehouse_assets.backfill import BackfillResult


def plan(
    select: list[str] | None, tenants: list[str] | None, first: datetime | None, last: datetime | None, *, as_json: bool
) -> None:
    """Show a plan."""
    house = open_house()
    chosen = select_tables(house.tables, select or [])
    begin, end = dates_asked_for(house, tenants, first, last)
    found = make_plan(house, chosen, tenants, begin, end)
    if as_json:
        say_json(_as_json(found))
        return
    _tell_refused(found.refused)
    if found.is_empty:
        say(f"Nothing to build for {begin} … {end}.")
    else:
        say(_grid("To build", found.build))
    if any(found.stale_downstream.values()):
        say(_grid("Stale, not asked for", found.stale_downstream))
    say(f"{len(found.new_files)} new files. Build with: lakehouse backfill")


def backfill(
    select: list[str] | None,
    tenants: list[str] | None,
    first: datetime | None,
    last: datetime | None,
    *,
    as_json: bool,
    daemon: bool,
    rebuild: bool,
) -> None:
    """Carry out a plan; raise SystemExit with status 1 where not all is built."""
    house = open_house()
    chosen = select_tables(house.tables, select or [])
    begin, end = dates_asked_for(house, tenants, first, last)
    with dagster_instance() as instance:
        if daemon:
            from lakehouse_assets.backfill import queue

            queued = queue(house, chosen, tenants, begin, end, instance=instance, rebuild=rebuild)
            _tell_queued(queued, as_json=as_json)
            return
        result = carry_out(house, chosen, tenants, begin, end, instance=instance, rebuild=rebuild, quiet=as_json)
    # Without dates, what has landed is meant as far as it is kept; with dates, those dates are.
    gone = dropped(house, chosen, tenants, begin, end) if first or last else {}
    if as_json:
        say_json({**outcome(result), "dropped": by_table(gone)})
    else:
        _tell_refused(result.refused)
        if result.built or result.reasons or not gone:
            tell(result)
        if gone:
            say(_grid("Not built, because retention dropped them", gone))
            say("Bring them back: the same command with --rebuild. Leave them out: --from a later date.")
    if gone or not result.is_complete:
        raise SystemExit(1)


def carry_out(
    house: Lakehouse,
    chosen: Collection[TableName],
    tenants: Collection[str] | None,
    first: date,
    last: date,
    *,
    instance: dg.DagsterInstance,
    rebuild: bool,
    quiet: bool,
) -> BackfillResult:
    """Backfill in this process, with a progress bar unless `quiet`."""
    from lakehouse_assets import backfill as runs

    with progress(hidden=quiet) as bar:
        task = bar.add_task("partitions", total=None)

        def show(result: BackfillResult, total: int) -> None:
            done = result.count("built")
            bar.update(task, completed=done, total=max(total, done))

        return runs.backfill(house, chosen, tenants, first, last, instance=instance, rebuild=rebuild, progress=show)


def dates_asked_for(
    house: Lakehouse, tenants: Collection[str] | None, first: datetime | None, last: datetime | None
) -> tuple[date, date]:
    """The dates asked for; where an end is open, the first and the last that has landed.

    Raises SelectionError where nothing has landed, a tenant is unknown, or the dates are reversed or before the first
    partition.
    """
    _refuse_unknown(house, tenants or ())
    begin, end = first.date() if first else None, last.date() if last else None
    if begin is None or end is None:
        landed = [file.date for file in house.landing.list(sources=house.sources.values(), tenants=tenants).files]
        if not landed:
            who = ", ".join(tenants) if tenants else "any tenant"
            raise SelectionError(
                f"nothing has landed for {who} in {house.landing.root}: name the dates by --from and --to"
            )
        begin, end = begin or max(min(landed), house.start), end or max(landed)
    if begin > end:
        raise SelectionError(f"--from {begin} lies after --to {end}")
    if begin < house.start:
        raise SelectionError(f"--from {begin} lies before the first partition {house.start} (LAKEHOUSE_START_DATE)")
    return begin, end


def _refuse_unknown(house: Lakehouse, tenants: Collection[str]) -> None:
    """A misspelt tenant would be built, empty."""
    wanted = {check_tenant(tenant) for tenant in tenants}
    if not wanted:
        return
    landed = house.landing.tenants().tenant_ids
    unknown = wanted.difference(landed)
    if unknown and (unknown := unknown.difference(house.ledger.read(tenants=unknown)["tenant_id"])):
        raise SelectionError(f"tenant {min(unknown)} has not landed; there are: {', '.join(landed) or 'none'}")


def dropped(
    house: Lakehouse, chosen: Collection[TableName], tenants: Collection[str] | None, first: date, last: date
) -> dict[TableName, set[Partition]]:
    """The partitions asked for that retention took out."""
    ledger = house.ledger.read(tenants=tenants, tables=chosen)
    gone = ledger.filter(DROPPED & pl.col("date").is_between(first, last))
    found: dict[TableName, set[Partition]] = {}
    for *name, tenant, day in gone.select("domain", "layer", "table", "tenant_id", "date").iter_rows():
        found.setdefault(TableName(*name), set()).add(Partition(tenant, day))
    return found


def tell(result: BackfillResult) -> None:
    """Say what a backfill did and where to look next."""
    say(_grid("Built", result.built) if result.built else "Nothing to do: all is up to date.")
    for reason in result.reasons:
        say(in_colour("red", "failed:", reason))
    if any(result.not_built.values()):
        say(_grid("Not built, because what they read failed", result.not_built))
    if result.is_complete:
        say("See how good they are: lakehouse status. Ask them: lakehouse sql")
    else:
        say("See the rejected rows: lakehouse quarantine list. Then run the same backfill again.")


def _tell_refused(refused: Iterable[RefusedPath]) -> None:
    """What landed in vain, which no exit status tells."""
    for path, reason in refused:
        say(in_colour("yellow", "not ingested:", f"{path}: {reason}"))


def outcome(result: BackfillResult) -> dict[str, Any]:
    """What a backfill did, for machines."""
    built = {which: by_table(getattr(result, which)) for which in ("built", "failed", "not_built")}
    refused = [path._asdict() for path in result.refused]
    return {**built, "runs": result.runs, "reasons": result.reasons, "refused": refused}


def by_table(partitions: Mapping[TableName, Collection[Partition]]) -> dict[str, list[list[str]]]:
    """Partitions as JSON holds them."""
    return {
        str(name): sorted([p.tenant_id, p.date.isoformat()] for p in found)
        for name, found in partitions.items()
        if found
    }


def _tell_queued(queued: list[str], *, as_json: bool) -> None:
    if as_json:
        say_json({"queued": queued})
    elif queued:
        say(f"Queued as backfill {', '.join(queued)}; the daemon of `dagster dev` carries it out.")
    else:
        say("Nothing to build.")


def _grid(title: str, partitions: Mapping[TableName, Collection[Partition]]) -> Grid:
    rows = []
    for name, found in partitions.items():
        for tenant, count in sorted(Counter(p.tenant_id for p in found).items()):
            rows.append((str(name), tenant, dates_in_words(p.date for p in found if p.tenant_id == tenant), count))
    return grid(title, ("table", "tenant", "dates", "partitions"), rows)


def _as_json(found: BuildPlan) -> dict[str, Any]:
    return {
        "build": by_table(found.build),
        "stale_downstream": by_table(found.stale_downstream),
        "new_files": [file.path for file in found.new_files],
        "refused": [path._asdict() for path in found.refused],
    }
