"""`python -m lakehouse_assets_tests.benchmarks --to docs/benchmarks`: measures and writes the report.

Belongs here: options, and the order of the items. Not here: measuring.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lakehouse_assets_tests.benchmarks import days, history, idle, live, report, telemetry
from lakehouse_assets_tests.benchmarks.figures import Findings
from lakehouse_assets_tests.benchmarks.sizes import ITEMS, QUICK, Sizes


def measure(folder: Path, sizes: Sizes, items: Sequence[str], found: Findings) -> Iterator[list[str]]:
    """Measure the items, one after the other, in a folder that holds what they make; yield those that are done."""
    pieces: list[tuple[tuple[str, ...], Callable[[], None]]] = [
        (("start",), lambda: idle.start(sizes, found)),
        (("day", "memory"), lambda: days.measure(folder, sizes, found, items)),
        (("history", "daily"), lambda: history.measure(folder, sizes, found, items)),
        (("sensor",), lambda: idle.sensor(folder, sizes, found)),
        (("telemetry",), lambda: telemetry.measure(folder, sizes, found)),
        (("live",), lambda: live.live(folder, sizes, found)),
    ]
    done: list[str] = []
    for names, work in pieces:
        if wanted := [name for name in names if name in items]:
            work()
            done += wanted
            yield done


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=Sizes.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--to", type=Path, required=True, help="the folder of the report")
    parser.add_argument("--only", default=",".join(ITEMS), help=f"some of {','.join(ITEMS)}; others are kept")
    parser.add_argument("--quick", action="store_true", help="little work, to see that they run; reported in quick/")
    parser.add_argument("--work", type=Path, help="a folder for what is made meanwhile: 15 GB at full size")
    for field in fields(Sizes):
        options: dict[str, Any] = {"type": int, "nargs": "+"} if isinstance(field.default, tuple) else {"type": int}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **options)
    given = vars(parser.parse_args(arguments))
    items = [item for item in ITEMS if item in given["only"].split(",")]
    if unknown := set(given["only"].split(",")) - set(ITEMS):
        parser.error(f"--only: no such items: {', '.join(sorted(unknown))}; there are {', '.join(ITEMS)}")
    chosen = {field.name: given[field.name] for field in fields(Sizes) if given[field.name] is not None}
    chosen = {name: tuple(value) if isinstance(value, list) else value for name, value in chosen.items()}
    try:
        sizes = replace(QUICK if given["quick"] else Sizes(), **chosen)
    except ValueError as error:
        parser.error(str(error))
    # A quick run never takes the place of a measured report.
    to, found = given["to"] / "quick" if given["quick"] else given["to"], Findings()
    if told := report.earlier(to):
        found.keep(told, items)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=given["work"]) as folder:
        for done in measure(Path(folder), sizes, items, found):
            # What is measured stays, should a later item fail.
            report.write(to, found, sizes, done, is_quick=given["quick"])
    sys.stdout.write(f"{to / report.REPORT}\n")


if __name__ == "__main__":
    main()
