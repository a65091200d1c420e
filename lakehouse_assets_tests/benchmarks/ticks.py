"""Ticks of the landing sensor, in a process that is loaded, as the daemon's code server is.

`python -m lakehouse_assets_tests.benchmarks.ticks <ticks>` carries out what the sensor asks for until it asks for
nothing, then prints the processor seconds of each further tick, and how many files it looked over, as JSON.
"""

from __future__ import annotations

import json
import sys
import time

import dagster as dg

from lakehouse_assets.backfill import QUIET
from lakehouse_assets.definitions import defs
from lakehouse_assets.house import open_house
from lakehouse_assets_tests.benchmarks.processes import BenchmarkError

MOST_WAVES = 12


def tick(instance: dg.DagsterInstance, cursor: str | None) -> tuple[float, list[dg.RunRequest], str | None]:
    """Evaluate the sensor as the daemon does; return the processor seconds, what it asks for, and its cursor."""
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def("landing")
    with dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository) as context:
        begin = time.process_time()
        outcome = sensor.evaluate_tick(context)
        spent = time.process_time() - begin
    return spent, list(outcome.run_requests or ()), outcome.cursor


def come_to_rest(instance: dg.DagsterInstance) -> str | None:
    """Carry out what the sensor asks for, until it asks for nothing; return its cursor."""
    cursor: str | None = None
    job = defs.resolve_implicit_global_asset_job_def()
    for _ in range(MOST_WAVES):
        _, requests, cursor = tick(instance, cursor)
        if not requests:
            return cursor
        for request in requests:
            chosen = list(request.asset_selection or ())
            job.execute_in_process(asset_selection=chosen, tags=request.tags, instance=instance, run_config=QUIET)
    raise BenchmarkError("the sensor does not come to rest")


def main(ticks: int) -> None:
    house = open_house()
    with dg.DagsterInstance.get() as instance:
        cursor = come_to_rest(instance)
        spent = []
        for _ in range(ticks):
            seconds, requests, cursor = tick(instance, cursor)
            if requests:
                raise BenchmarkError("the sensor found something to do")
            spent.append(seconds)
    files = len(house.landing.list(sources=house.sources.values()).files)
    sys.stdout.write(json.dumps({"seconds": spent, "files": files}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
