"""`lakehouse maintain`: compact, vacuum, retention, the ledger from receipts, and reset."""

from __future__ import annotations

import sys

import typer

from lakehouse_assets.cli.show import dates_in_words, grid, grid_of, rows, say, say_json
from lakehouse_assets.house import open_house
from lakehouse_assets.lake import maintenance, receipts
from lakehouse_assets.lake import retention as lake_retention
from lakehouse_assets.lake.errors import SelectionError
from lakehouse_assets.lake.keeping import LEAST_VACUUM_HOURS
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.selection import select as select_tables
from lakehouse_assets.settings import Settings


def compact(select: list[str] | None, *, as_json: bool) -> None:
    """Merge small files and write checkpoints."""
    house = open_house()
    found = maintenance.compact(house, _stored(house, select))
    if as_json:
        say_json([{**one._asdict(), "table": str(one.table)} for one in found])
        return
    merged = [one for one in found if one.partitions]
    shown = [(str(one.table), one.partitions, one.files_before, one.files_after) for one in merged]
    if shown:
        say(grid("Compacted", ("table", "partitions", "files before", "files after"), shown))
    say(f"{len(found)} tables have a checkpoint; {len(merged)} had partitions of several small files.")
    say("Free the space of the replaced files: lakehouse maintain vacuum")


def vacuum(select: list[str] | None, *, hours: int, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete files that no one reads any more."""
    if hours < LEAST_VACUUM_HOURS and not (yes or dry_run):
        raise SelectionError(
            f"--hours {hours} could delete files of a run that is not finished: take at least "
            f"{LEAST_VACUUM_HOURS}, or add --yes when nothing is running"
        )
    house = open_house()
    found = maintenance.vacuum(house, _stored(house, select), hours=hours, dry_run=dry_run)
    if as_json:
        say_json([{"table": str(one.table), "paths": one.paths, "deleted": not dry_run} for one in found])
        return
    shown = [(str(one.table), len(one.paths)) for one in found if one.paths]
    if shown:
        say(grid("Files to delete" if dry_run else "Files deleted", ("table", "files"), shown))
    total = sum(files for _, files in shown)
    verb = "would be" if dry_run else "were"
    say(f"{total} files older than {hours} hours {verb} deleted from {len(found)} tables.")


def retention(
    select: list[str] | None, tenants: list[str] | None, keep: list[str], *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Drop what has outlived its layer; raise SystemExit with status 1 where it was due and not confirmed."""
    settings = Settings.from_environment()
    house = open_house(settings)
    kept = lake_retention.parse_keep(keep) if keep else settings.retention or lake_retention.DEFAULT_KEEP
    found = lake_retention.due(
        house, keep=kept, tables=select_tables(house.tables, select or []), tenants=tenants or None
    )
    going = sum(len(one.dates) for one in found)
    if not as_json:
        _tell_due(found, kept)
    confirmed = not dry_run and going > 0 and (yes or _confirmed(f"Drop {going} partitions?", as_json=as_json))
    dropped = lake_retention.drop(house, found) if confirmed else 0
    if as_json:
        said = [{**one._asdict(), "table": str(one.table)} for one in found]
        say_json({"due": said, "dropped": dropped, "keep": {layer: str(time) for layer, time in kept.items()}})
    elif confirmed:
        say(f"{dropped} partitions were dropped. Free their space in a week: lakehouse maintain vacuum")
        say("They come back only when asked for: lakehouse backfill --rebuild --from … --to …")
    elif going:
        say("Nothing was dropped." + ("" if dry_run else " Drop them: --yes"))
    if going and not confirmed and not dry_run:
        raise SystemExit(1)


def _tell_due(found: list[lake_retention.Due], kept: dict[str, lake_retention.Keep]) -> None:
    say("Kept: " + ", ".join(f"{layer} {time}" for layer, time in kept.items()) + ".")
    going = [
        (str(one.table), one.tenant_id, dates_in_words(one.dates), len(one.dates), one.size_bytes)
        for one in found
        if one.dates
    ]
    say(grid("Outlived", ("table", "tenant", "dates", "partitions", "bytes"), going) if going else "Nothing is due.")
    read = [(str(one.table), one.tenant_id, dates_in_words(one.still_read)) for one in found if one.still_read]
    if read:
        say(grid("As old, but read by today's build of another table", ("table", "tenant", "dates"), read))


def ledger(select: list[str] | None, *, write: bool, as_json: bool) -> None:
    """Compare the ledger with the receipts; raise SystemExit with status 1 where they differ and it is not written."""
    house = open_house()
    chosen = select_tables(house.tables, select or [])
    told = receipts.from_receipts(house, chosen)
    found = receipts.compare(house, told, chosen)
    if write:
        receipts.write_ledger(house, told)
    if as_json:
        said = {"receipts": told.height, "missing": rows(found.missing), "different": rows(found.different)}
        say_json({**said, "unproven": found.unproven.height, "written": write})
    else:
        for title, frame in (("Without an entry", found.missing), ("Unlike its receipt", found.different)):
            if frame.height:
                counted = frame.group_by("domain", "layer", "table", "tenant_id").len("partitions")
                say(grid_of(title, counted.sort("domain", "layer", "table", "tenant_id")))
        say(f"{told.height} partitions have a receipt; {found.unproven.height} entries have none left in the log.")
        say(_verdict(is_same=found.is_empty, written=write))
    if not write and not found.is_empty:
        raise SystemExit(1)


def _verdict(*, is_same: bool, written: bool) -> str:
    if is_same:
        return "The ledger says what the receipts say."
    return "The ledger was written from the receipts." if written else "Write it from the receipts: --write"


def reset(text: str, tenants: list[str] | None, *, yes: bool, as_json: bool) -> None:
    """Empty a table; raise SystemExit with status 1 where that is not confirmed."""
    house = open_house()
    name = TableName.parse(text)
    house.table(name)
    whose = "of " + ", ".join(tenants) if tenants else "of all tenants"
    if not yes and not _confirmed(f"Take all rows {whose} out of {name}?", as_json=as_json):
        if not as_json:
            say("Nothing was taken out. Do it: --yes")
        raise SystemExit(1)
    done = maintenance.reset(house, name, tenants or None)
    if as_json:
        say_json({**done._asdict(), "table": str(name)})
    else:
        say(
            f"{done.rows} rows in {done.partitions} partitions of {len(done.tenants)} tenants were taken out of {name}."
        )
        say(f"Build it anew: lakehouse backfill --select {name.path}")


def _stored(house: Lakehouse, select: list[str] | None) -> list[TableName]:
    return maintenance.stored_tables(house, select_tables(house.tables, select) if select else None)


def _confirmed(question: str, *, as_json: bool) -> bool:
    """Ask a person; whoever is none has to say --yes."""
    return not as_json and sys.stdin.isatty() and typer.confirm(question)
