"""The nightly upkeep: what `lakehouse maintain` does by `retention`, `compact` and `vacuum`, on a schedule.

Belongs here: when it runs, and what Dagster shows of it. Not here: how a table is kept (`lake.maintenance`), and what
has outlived its layer (`lake.retention`).

A day of small landings replaces each of its partitions many times over: every replacement is one file and one commit,
and the replaced files stay until they are a week old, so that a reader of an older version finds them.
"""

from __future__ import annotations

import dagster as dg

from lakehouse_assets.house import open_house
from lakehouse_assets.lake import maintenance, retention
from lakehouse_assets.settings import Settings


@dg.op(
    description="Drops what has outlived its layer, where the settings say how long layers are kept; merges small "
    "files, writes checkpoints, and deletes files that were replaced a week ago."
)
def keep_tables(context):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - Dagster cannot read string annotations
    """One table after the other; figures go into the run's metadata. Raises StorageError for a table at fault."""
    settings = Settings.from_environment()
    house = open_house(settings)
    found = retention.due(house, keep=settings.retention) if settings.retention else []
    dropped = retention.drop(house, found)
    names = maintenance.stored_tables(house)
    compacted = maintenance.compact(house, names)
    vacuumed = maintenance.vacuum(house, names)
    context.add_output_metadata(
        {
            "tables": len(names),
            "partitions_dropped": dropped,
            "partitions_compacted": sum(one.partitions for one in compacted),
            "files_before": sum(one.files_before for one in compacted),
            "files_after": sum(one.files_after for one in compacted),
            "files_deleted": sum(len(one.paths) for one in vacuumed),
        }
    )


@dg.job(name="upkeep", description="Keeps the tables compact, and no longer than they are to be kept.")
def upkeep() -> None:
    """All tables of the lake."""
    keep_tables()


def upkeep_schedule() -> dg.ScheduleDefinition:
    """05:00 UTC, when the night's tables are built."""
    return dg.ScheduleDefinition(
        name="upkeep_daily",
        job=upkeep,
        cron_schedule="0 5 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Drops what has outlived its layer, compacts the tables, and deletes files replaced a week ago.",
    )
