"""The nightly upkeep of the tables' files: what `lakehouse maintain compact` and `vacuum` do, on a schedule.

Belongs here: when it runs, and what Dagster shows of it. Not here: how a table is kept (`lake.maintenance`).

A day of small landings replaces each of its partitions many times over: every replacement is one file and one commit,
and the replaced files stay until they are a week old, so that a reader of an older version finds them.
"""

from __future__ import annotations

import dagster as dg

from lakehouse_assets.house import open_house
from lakehouse_assets.lake import maintenance


@dg.op(description="Merges small files, writes checkpoints, deletes files that were replaced a week ago.")
def compact_and_vacuum(context):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - Dagster cannot read string annotations
    """One table after the other; figures go into the run's metadata. Raises StorageError for a table at fault."""
    house = open_house()
    names = maintenance.stored_tables(house)
    compacted = maintenance.compact(house, names)
    vacuumed = maintenance.vacuum(house, names)
    context.add_output_metadata(
        {
            "tables": len(names),
            "partitions_compacted": sum(one.partitions for one in compacted),
            "files_before": sum(one.files_before for one in compacted),
            "files_after": sum(one.files_after for one in compacted),
            "files_deleted": sum(len(one.paths) for one in vacuumed),
        }
    )


@dg.job(name="upkeep", description="Keeps the tables compact and their logs short.")
def upkeep() -> None:
    """All tables of the lake."""
    compact_and_vacuum()


def upkeep_schedule() -> dg.ScheduleDefinition:
    """05:00 UTC, when the night's tables are built."""
    return dg.ScheduleDefinition(
        name="upkeep_daily",
        job=upkeep,
        cron_schedule="0 5 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Compacts the tables, writes checkpoints, and deletes files replaced a week ago.",
    )
