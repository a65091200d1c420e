"""A run a partition: what a backfill would cost if each table's partition were a run of its own, as jobs make them.

`python -m lakehouse_assets_tests.benchmarks.alone <date> <tenant> …` builds all tables of the date for each tenant,
an input before its readers, and prints the wall seconds, processor seconds and peak memory of each run as JSON. The
runs follow each other in this process, loaded before the clock starts; with `--processes` each is the command
`dagster asset materialize`, a process of its own, which is what Dagster's run launcher starts for a run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple
from datetime import date
from pathlib import Path

import dagster as dg

from lakehouse_assets.backfill import QUIET, register_tenants
from lakehouse_assets.definitions import defs
from lakehouse_assets.house import tables
from lakehouse_assets.lake.keys import asset_key, partition_key
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets_tests.benchmarks.processes import BenchmarkError, Cost, weigh

DAGSTER = str(Path(sys.executable).parent / "dagster")


def run(name: TableName, partition: Partition, instance: dg.DagsterInstance) -> Cost:
    """One run of one partition in this process."""
    wall, spent = time.perf_counter(), time.process_time()
    job = defs.resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(
        asset_selection=[asset_key(name)],
        partition_key=partition_key(partition),
        instance=instance,
        raise_on_error=True,
        run_config=QUIET,
    )
    if not done.success:
        raise BenchmarkError(f"{name} of {partition} was not built")
    return Cost(time.perf_counter() - wall, time.process_time() - spent, 0)


def start(name: TableName, partition: Partition) -> Cost:
    """One run of one partition in a process of its own."""
    chosen = ["--select", f"key:{name.path}", "--partition", partition_key(partition)]
    environment = {name: value for name, value in os.environ.items() if name.startswith(("LAKEHOUSE_", "DAGSTER_"))}
    command = [DAGSTER, "asset", "materialize", *chosen, "-m", "lakehouse_assets.definitions"]
    return weigh(command, environment)[0]


def main(day: date, tenants: Sequence[str], *, processes: bool) -> None:
    with dg.DagsterInstance.get() as instance:
        register_tenants(instance, tenants)
        costs = [
            start(name, Partition(tenant, day)) if processes else run(name, Partition(tenant, day), instance)
            for tenant in tenants
            for name in tables()
        ]
    sys.stdout.write(json.dumps([astuple(cost) for cost in costs]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="alone")
    parser.add_argument("date", type=date.fromisoformat)
    parser.add_argument("tenants", nargs="+")
    parser.add_argument("--processes", action="store_true")
    given = parser.parse_args()
    main(given.date, given.tenants, processes=given.processes)
