"""`lakehouse quarantine`: rejected rows counted, shown, and their partitions built again."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.cli.build import carry_out
from lakehouse_assets.cli.instance import dagster_instance
from lakehouse_assets.cli.show import dates_in_words, grid, grid_of, in_colour, rows, say, say_json
from lakehouse_assets.house import open_house
from lakehouse_assets.lake import quarantine as lake_quarantine
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, Rectangle, rectangles
from lakehouse_assets.lake.quarantine import ORDER, Wanted
from lakehouse_assets.selection import select as select_tables

if TYPE_CHECKING:
    import dagster as dg

    from lakehouse_assets.backfill import BackfillResult


def wanted(
    tables: list[str] | None,
    tenants: list[str] | None,
    first: datetime | None,
    last: datetime | None,
    rule: str | None,
) -> Wanted:
    """The rows that the options mean; a table goes by its own name or by its quarantine's."""
    return Wanted(
        tables=_tables(tables) if tables else None,
        tenants=tenants or None,
        first=first.date() if first else None,
        last=last.date() if last else None,
        rule=rule,
    )


def _tables(texts: list[str]) -> list[TableName]:
    declared = open_house().tables
    owners = {str(name.quarantine): str(name) for name in declared}
    return select_tables(declared, [owners.get(text.replace("/", "."), text) for text in texts])


def list_counts(meant: Wanted, *, as_json: bool) -> None:
    """Count rows by table, tenant, date and rule."""
    counted = lake_quarantine.counts(open_house(), meant)
    if as_json:
        say_json(rows(counted))
    elif counted.is_empty():
        say("No row like that is in quarantine.")
    else:
        say(grid_of("Rows in quarantine; one that broke two rules counts twice", counted))
        say("See them: lakehouse quarantine show. After a fix: lakehouse quarantine replay")


def show(meant: Wanted, *, limit: int, as_json: bool) -> None:
    """Show rows with where they came from, why they were rejected and what they said."""
    held = lake_quarantine.quarantined_rows(open_house(), meant)
    found = held.sort(ORDER, nulls_last=True).collect(engine="streaming")
    if as_json:
        say_json([{**row, "raw": _raw(row["raw"])} for row in rows(found.head(limit))])
        return
    place = pl.format("{}:{}", pl.col("_source_file"), pl.col("_row_number")).alias("file:row")
    shown = found.head(limit).select("table", "tenant_id", "date", place, "reasons", "raw")
    shown = shown.with_columns(pl.col("raw").map_elements(_short, return_dtype=pl.String))
    more = f"{found.height - limit} more rows; see them by --limit" if found.height > limit else None
    say(grid_of("Rows in quarantine", shown, caption=more) if found.height else "No row like that is in quarantine.")


def _raw(text: str | None) -> object:
    """The record as JSON where it is JSON; a malformed one is kept as the text that it is."""
    try:
        return json.loads(text) if text is not None else None
    except ValueError:
        return text


def _short(text: str) -> str:
    """The record without its empty values, as people read it."""
    raw = _raw(text)
    if not isinstance(raw, dict):
        return text
    return json.dumps({name: value for name, value in raw.items() if value is not None}, ensure_ascii=False)


def replay(meant: Wanted, *, as_json: bool) -> None:
    """Build the partitions of these rows again; raise SystemExit with status 1 where one was not built."""
    house = open_house()
    partitions = lake_quarantine.partitions_of(house, meant)
    before = _count(house, meant)
    results: list[BackfillResult] = []
    with dagster_instance() as instance:
        for name, found in partitions.items():
            if name in house.sources:
                lake_quarantine.reread(house, name, found)
            held = _count(house, meant, name)
            results += _rebuild(house, name, found, instance, quiet=as_json)
            if name in house.sources and _count(house, meant, name) < held:
                # The files are the same and say more than before, which no fingerprint shows.
                for reader, blocked in lake_quarantine.readers_of(house, name, found).items():
                    results += _rebuild(house, reader, blocked, instance, quiet=as_json)
    after = _count(house, meant)
    complete = all(result.is_complete for result in results)
    reasons = [reason for result in results for reason in result.reasons]
    if as_json:
        replayed = {str(name): sorted([p.tenant_id, str(p.date)] for p in found) for name, found in partitions.items()}
        counts = {"rows_before": before, "rows_after": after, "rows_left_quarantine": before - after}
        say_json({"replayed": replayed, **counts, "reasons": reasons})
    else:
        _tell(partitions, before, after, reasons)
    if not complete:
        raise SystemExit(1)


def _rebuild(
    house: Lakehouse, name: TableName, partitions: Collection[Partition], instance: dg.DagsterInstance, *, quiet: bool
) -> Iterator[BackfillResult]:
    for rectangle in _rectangles(partitions):
        yield carry_out(
            house,
            [name],
            rectangle.tenants,
            rectangle.first,
            rectangle.last,
            instance=instance,
            rebuild=True,
            quiet=quiet,
        )


def _rectangles(partitions: Collection[Partition]) -> list[Rectangle]:
    return rectangles(partitions, sorted({partition.tenant_id for partition in partitions}))


def _count(house: Lakehouse, meant: Wanted, name: TableName | None = None) -> int:
    chosen = meant.tables if name is None else [name]
    narrowed = Wanted(tables=chosen, tenants=meant.tenants, first=meant.first, last=meant.last, rule=meant.rule)
    held = lake_quarantine.quarantined_rows(house, narrowed)
    return int(held.select(pl.len()).collect(engine="streaming").item())


def _tell(partitions: dict[TableName, set[Partition]], before: int, after: int, reasons: Collection[str]) -> None:
    if not partitions:
        say("No row like that is in quarantine.")
        return
    shown = [
        (str(name), tenant, dates_in_words(p.date for p in found if p.tenant_id == tenant))
        for name, found in partitions.items()
        for tenant in sorted({p.tenant_id for p in found})
    ]
    say(grid("Built again", ("table", "tenant", "dates"), shown))
    for reason in reasons:
        say(in_colour("red", "failed:", reason))
    say(f"{before - after} of {before} rows left quarantine; {after} are still there: lakehouse quarantine show")
    say("Build what is stale now: lakehouse backfill")
