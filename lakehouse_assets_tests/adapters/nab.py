"""Lays files of the Numenta Anomaly Benchmark out as a landing zone: each day's readings as a file of its own.

`python -m lakehouse_assets_tests.adapters.nab --from <folder> --to <landing root> --tenant <tenant>`

A file has one device's readings, `timestamp,value`, without an offset: UTC. Nothing is mended on the way: a timestamp
that stands twice lands twice, in the order of the file, and what is no number lands as the text that it is.

Belongs here: the shape of those files and of their labels. Not here: what is made of them (`nab_report`).
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from lakehouse_assets_tests.adapters.errors import AdapterError

HEADER = ["timestamp", "value"]
POINTS, SPANS = "combined_labels.json", "combined_windows.json"
# What the files do not say: which of them are temperatures is in their names only.
METRICS = ("temperature", "cpu_utilization", "network", "disk")
OTHER_METRIC = "value"


class Labelled(NamedTuple):
    """An anomaly of a device as people labelled it: the time span, and the moment within it."""

    device: str
    begin: datetime
    end: datetime
    moment: datetime


def lay_out(source: Path, landing: Path, tenant: str) -> list[Path]:
    """Write the readings of every CSV file below a folder; return the files written.

    Raises AdapterError for a file whose rows are not dated readings.
    """
    written = []
    for path in sorted(source.rglob("*.csv")):
        for day, lines in _days(path).items():
            place = landing / tenant / "commerce" / "device_telemetry" / str(day) / f"{path.stem}.ndjson"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("".join(lines), encoding="utf-8")
            written.append(place)
    if not written:
        raise AdapterError(f"{source} holds no CSV file with readings")
    return written


def _days(path: Path) -> dict[date, list[str]]:
    days: dict[date, list[str]] = defaultdict(list)
    metric = next((known for known in METRICS if known in path.stem), OTHER_METRIC)
    for number, (timestamp, value) in _rows(path):
        try:
            day = date.fromisoformat(timestamp.strip()[:10])
        except ValueError:
            raise AdapterError(f"{path.name}, row {number}: '{timestamp}' does not begin with a date") from None
        reading = {"device_id": path.stem, "event_time": timestamp, "metric_type": metric}
        days[day].append(json.dumps({**reading, "metric_value": _number(value)}) + "\n")
    return days


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file with their numbers, counted from 1."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines)
        if (header := next(reader, [])) != HEADER:
            raise AdapterError(f"{path.name} begins with {header}, not with {HEADER}")
        for number, row in enumerate(reader, start=1):
            if len(row) != len(HEADER):
                raise AdapterError(f"{path.name}, row {number} has {len(row)} fields, not {len(HEADER)}")
            yield number, row


def _number(text: str) -> float | str:
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


def labels(source: Path) -> list[Labelled]:
    """The labelled anomalies of the devices whose files lie below a folder."""
    points, spans = (json.loads((source / name).read_text(encoding="utf-8")) for name in (POINTS, SPANS))
    devices = {path.stem for path in source.rglob("*.csv")}
    found = []
    for name, given in spans.items():
        if (device := Path(name).stem) not in devices:
            continue
        if len(points[name]) != len(given):
            raise AdapterError(f"{name} has {len(given)} labelled spans and {len(points[name])} moments")
        for (begin, end), moment in zip(given, points[name], strict=True):
            found.append(Labelled(device, *map(_time, (begin, end, moment))))
    return sorted(found)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(prog="nab", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--from", dest="source", type=Path, required=True, help="the folder of the files")
    parser.add_argument("--to", type=Path, required=True, help="the landing root, made where it is missing")
    parser.add_argument("--tenant", required=True)
    given = parser.parse_args()
    print(f"{len(lay_out(given.source, given.to, given.tenant))} files below {given.to}")  # noqa: T201


if __name__ == "__main__":
    main()
