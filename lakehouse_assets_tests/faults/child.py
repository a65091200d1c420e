"""The process that faults happen to: `python -m lakehouse_assets_tests.faults.child [options] backfill …`.

Without options it is the `lakehouse` command. With `--gate` it loads everything, says so by a file beside the gate, and
waits until the gate is there, so that several start at once. With `--steps` the backfill does without Dagster: see
`steps`. `--file-bytes` bounds what it can write into a file; every further byte fails, as on a full disk.
`--bound-by-permissions` takes root's power to pass by permissions.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Sequence
from datetime import date
from importlib import import_module
from pathlib import Path

from lakehouse_assets.house import open_house
from lakehouse_assets.selection import select
from lakehouse_assets_tests.faults import steps


def main() -> None:
    parser = argparse.ArgumentParser(prog="child")
    parser.add_argument("--gate", type=Path)
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--file-bytes", type=int)
    parser.add_argument("--bound-by-permissions", action="store_true")
    given, arguments = parser.parse_known_args()
    if given.bound_by_permissions:
        _become_bound()
    if given.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (given.file_bytes, given.file_bytes))
    if given.gate is not None:
        _wait(given.gate, with_dagster=not given.steps)
    if given.steps:
        sys.exit(_by_steps(arguments))
    from lakehouse_assets.cli import main as lakehouse

    sys.argv = ["lakehouse", *arguments]
    lakehouse()


def _become_bound() -> None:
    """Start again without the capabilities; anyone but root has none to lose."""
    import ctypes

    drop_from_bounding_set, override, search = 24, 1, 2
    for capability in (override, search):
        ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0)
    arguments = [argument for argument in sys.orig_argv[1:] if argument != "--bound-by-permissions"]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - itself


def _wait(gate: Path, *, with_dagster: bool) -> None:
    if with_dagster:
        import_module("lakehouse_assets.definitions")
    gate.with_name(f"{gate.name}.ready.{os.getpid()}").touch()
    while not gate.exists():
        time.sleep(0.001)


def _by_steps(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="child --steps")
    parser.add_argument("command", choices=["backfill"])
    parser.add_argument("--select", action="append")
    parser.add_argument("--tenant", action="append")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True)
    parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True)
    parser.add_argument("--rebuild", action="store_true")
    given = parser.parse_args(arguments)
    house = open_house()
    faults = steps.backfill(
        house,
        given.first,
        given.last,
        tenants=given.tenant,
        select=select(house.tables, given.select) if given.select else (),
        rebuild=given.rebuild,
        run_id=f"process {os.getpid()}",
    )
    for fault in faults:
        print(fault, file=sys.stderr)  # noqa: T201 - what its parent reads
    return 1 if faults else 0


if __name__ == "__main__":
    main()
