"""What a day of small landings leaves behind: `python -m lakehouse_assets_tests.benchmarks.live_files <date>`.

Prints as JSON the most live files of a partition of the date, the commits of all tables, and Dagster's runs.
"""

from __future__ import annotations

import json
import sys
from datetime import date

import dagster as dg

from lakehouse_assets.house import open_house
from lakehouse_assets.lake.maintenance import stored_tables


def main(day: date) -> None:
    house = open_house()
    most, commits = 0, 0
    for name in stored_tables(house):
        opened = house.lake.open(name)
        commits += opened.version() if opened else 0
        if name in house.tables:
            counts = house.lake.files(name, date=[day]).group_by("tenant_id").len()
            most = max([most, *counts["len"].to_list()])
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs_count()
    sys.stdout.write(json.dumps({"most_files": most, "commits": commits, "runs": runs}))


if __name__ == "__main__":
    main(date.fromisoformat(sys.argv[1]))
