"""A process and what it cost: wall time, processor time, peak memory.

Belongs here: starting and weighing. This module and whatever loads it stays small: a child's peak memory is never
reported below that of the process that started it, so heavy libraries are loaded in children only.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).parents[2]
LAKEHOUSE = str(Path(sys.executable).parent / "lakehouse")
# `ru_maxrss` is in kilobytes on Linux, in bytes on macOS.
MEMORY_UNIT = 1 if platform.system() == "Darwin" else 1024
LONGEST_ENDING = 4_000
LONGEST_LINE = 150
OURS = ("LAKEHOUSE_", "DAGSTER_", "POLARS_", "PYTHONDONTWRITEBYTECODE")


class BenchmarkError(Exception):
    """A process failed, or what is compared did not do the same work."""


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds on the wall, seconds of processors, and the most memory that it held, in bytes."""

    wall_seconds: float
    processor_seconds: float
    peak_bytes: int

    def as_json(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each figure; of memory the largest."""
    return Cost(
        median(cost.wall_seconds for cost in costs),
        median(cost.processor_seconds for cost in costs),
        max(cost.peak_bytes for cost in costs),
    )


def weigh(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[Cost, str]:
    """Run a command to its end; return its cost, that of its own children included, and its standard output.

    A line on standard error says how long it took, for those who wait.

    Raises BenchmarkError where it fails.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        # What earlier processes left to be written to disk is not this one's burden.
        os.sync()
        begin = time.perf_counter()
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**kept, "PYTHONPATH": str(PROJECT), **(environment or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        said, complaints = output.read().decode(), errors.read().decode()
    sys.stderr.write(f"{wall:8.1f} s  {' '.join(command)[:LONGEST_LINE]}\n")
    if process.returncode:
        ending = (said + complaints)[-LONGEST_ENDING:]
        raise BenchmarkError(f"{' '.join(command)} ended with status {process.returncode}:\n{ending}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MEMORY_UNIT), said


def python(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[Cost, str]:
    """Weigh a module of this interpreter."""
    return weigh([sys.executable, "-m", module, *arguments], environment)


def answer(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Any:
    """What a module prints as JSON."""
    return json.loads(python(module, *arguments, environment=environment)[1])
