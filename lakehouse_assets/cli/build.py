"""`lakehouse plan` and `lakehouse backfill`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from lakehouse_assets.house import open_house
from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, runs_of_dates
from lakehouse_assets.lake.plan import BuildPlan, make_plan
from lakehouse_assets.selection import select as select_tables

console = Console()


def plan(
    select: list[str] | None, tenants: list[str] | None, first: datetime | None, last: datetime | None, *, as_json: bool
) -> None:
    """Show a plan."""
    house = open_house()
    chosen = select_tables(house.tables, select or [])
    begin, end = dates_asked_for(house, tenants, first, last)
    found = make_plan(house, chosen, tenants, begin, end)
    if as_json:
        print(json.dumps(_as_json(found)))
        return
    for path, reason in found.refused:
        console.print(f"[yellow]not ingested:[/] {path}: {reason}")
    if found.is_empty:
        console.print(f"Nothing to build for {begin} … {end}.")
    else:
        console.print(_grid("To build", found.build))
    if any(found.stale_downstream.values()):
        console.print(_grid("Stale, not asked for", found.stale_downstream))
    console.print(f"{len(found.new_files)} new files. Build with: lakehouse backfill")


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
    import dagster as dg

    from lakehouse_assets import backfill as runs

    house = open_house()
    chosen = select_tables(house.tables, select or [])
    begin, end = dates_asked_for(house, tenants, first, last)
    with dg.DagsterInstance.get() as instance:
        if daemon:
            queued = runs.queue(house, chosen, tenants, begin, end, instance=instance, rebuild=rebuild)
            print(json.dumps({"queued": queued})) if as_json else console.print(
                f"queued as backfill {queued[0]}; the daemon of `dagster dev` carries it out" if queued else "Nothing to build."
            )
            return
        with _progress(as_json) as bar:
            task = bar.add_task("partitions", total=None)

            def show(result: runs.BackfillResult, total: int) -> None:
                bar.update(task, completed=result.count("built"), total=max(total, result.count("built")))

            result = runs.backfill(
                house, chosen, tenants, begin, end, instance=instance, rebuild=rebuild, progress=show
            )
    if as_json:
        outcome = {which: _by_table(getattr(result, which)) for which in ("built", "failed", "not_built")}
        print(json.dumps({**outcome, "runs": result.runs, "reasons": result.reasons}))
    else:
        _tell(result)
    if not result.is_complete:
        raise SystemExit(1)


def dates_asked_for(
    house: Lakehouse, tenants: Collection[str] | None, first: datetime | None, last: datetime | None
) -> tuple[date, date]:
    """The dates asked for; where an end is open, the first and the last that has landed.

    Raises SelectionError where nothing has landed or the dates are reversed or before the first partition.
    """
    begin, end = first.date() if first else None, last.date() if last else None
    if begin is None or end is None:
        landed = [file.date for file in house.landing.list(sources=house.sources.values(), tenants=tenants).files]
        if not landed:
            who = ", ".join(tenants) if tenants else "any tenant"
            raise SelectionError(f"nothing has landed for {who} in {house.landing.root}: name the dates by --from and --to")
        begin, end = begin or max(min(landed), house.start), end or max(landed)
    if begin > end:
        raise SelectionError(f"--from {begin} lies after --to {end}")
    if begin < house.start:
        raise SelectionError(f"--from {begin} lies before the first partition {house.start} (LAKEHOUSE_START_DATE)")
    return begin, end


def _progress(as_json: bool) -> Progress:
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=as_json, transient=True)


def _tell(result: Any) -> None:
    console.print(_grid("Built", result.built) if result.built else "Nothing to do: all is up to date.")
    for reason in result.reasons:
        console.print(f"[red]failed:[/] {reason}", highlight=False)
    if any(result.not_built.values()):
        console.print(_grid("Not built, because what they read failed", result.not_built))
    if not result.is_complete:
        console.print("See the rejected rows: lakehouse quarantine list. Then run the same backfill again.")


def _grid(title: str, partitions: Mapping[TableName, Collection[Partition]]) -> Grid:
    grid = Grid("table", "tenant", "dates", "partitions", title=title)
    for name, found in partitions.items():
        for tenant, count in sorted(Counter(p.tenant_id for p in found).items()):
            stretches = runs_of_dates(p.date for p in found if p.tenant_id == tenant)
            dates = [str(a) if a == b else f"{a} … {b}" for a, b in stretches]
            shown = ", ".join(dates[:4]) + (f" and {len(dates) - 4} more" if len(dates) > 4 else "")
            grid.add_row(str(name), tenant, shown, str(count))
    return grid


def _by_table(partitions: Mapping[TableName, Collection[Partition]]) -> dict[str, list[list[str]]]:
    return {str(name): sorted([p.tenant_id, p.date.isoformat()] for p in found) for name, found in partitions.items() if found}


def _as_json(found: BuildPlan) -> dict[str, Any]:
    return {
        "build": _by_table(found.build),
        "stale_downstream": _by_table(found.stale_downstream),
        "new_files": [file.path for file in found.new_files],
        "refused": [path._asdict() for path in found.refused],
    }
