"""Processes that build, and what is done to them.

Belongs here: starting, watching, stopping and killing. Not here: what must be true afterwards (`lakes`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from lakehouse_assets.lake.names import TableName
from lakehouse_assets_tests.faults.places import PROJECT, Place

LONGEST_SECONDS = 300
GLANCE_SECONDS = 0.0005


class Moment(NamedTuple):
    """When to strike: so long after the n-th new commit of one of the tables (of any, where none is named)."""

    commits: int
    seconds: float = 0.0
    tables: tuple[TableName, ...] = ()


@dataclass
class Child:
    """A running `lakehouse` command."""

    process: subprocess.Popen[bytes]
    _lines: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        # A pipe, because what bounds a process's files would bound what it prints; read, so that it never fills.
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self._lines.extend(stream)

    @property
    def said(self) -> str:
        """All that it has printed, errors included."""
        return b"".join(self._lines).decode(errors="replace")

    def wait(self) -> int:
        """The exit status."""
        status = self.process.wait(LONGEST_SECONDS)
        self._listener.join(LONGEST_SECONDS)
        return status

    def succeed(self) -> str:
        """Wait for exit status 0, and return what was said."""
        assert self.wait() == 0, self.said
        return self.said

    def fail(self) -> str:
        """Wait for exit status 1, and return what was said: no traceback, but a message."""
        assert self.wait() == 1, self.said
        return self.said

    def kill(self) -> bool:
        """Kill -9; whether it was still running."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def kill_at(self, place: Place, moment: Moment, watch: Callable[[], None] | None = None) -> bool:
        """Kill -9 at a moment of its work; whether it was still running. `watch` is called again and again until then.

        To be called as soon as the child is started: commits count from now on.
        """
        target = place.commits(moment.tables) + moment.commits
        return self.kill_when(lambda: place.commits(moment.tables) >= target, watch, moment.seconds)

    def kill_when(
        self, condition: Callable[[], bool], watch: Callable[[], None] | None = None, seconds: float = 0.0
    ) -> bool:
        """Kill -9 so long after a condition has come true; whether it was still running."""
        while self.process.poll() is None and not condition():
            if watch:
                watch()
            time.sleep(GLANCE_SECONDS)
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until:
            time.sleep(GLANCE_SECONDS)
        return self.kill()

    @contextmanager
    def stopped_while_reading(self, path: Path) -> Iterator[bool]:
        """Hold the process still at a time when it has a file open; whether that was so before it ended."""
        found = False
        while self.process.poll() is None and not found:
            if path not in _open_files(self.process.pid):
                time.sleep(GLANCE_SECONDS)
                continue
            self.process.send_signal(signal.SIGSTOP)
            found = path in _open_files(self.process.pid)
            if not found:
                self.process.send_signal(signal.SIGCONT)
        yield found
        if found:
            self.process.send_signal(signal.SIGCONT)


def start(
    place: Place,
    *arguments: str,
    steps: bool = False,
    gate: Path | None = None,
    options: Collection[str] = (),
    **environment: str,
) -> Child:
    """Start `lakehouse` with these arguments; `options` are those of `child`."""
    options = [*(["--gate", str(gate)] if gate else []), *(["--steps"] if steps else []), *options]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "DAGSTER_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "lakehouse_assets_tests.faults.child", *options, *arguments],
        cwd=place.home,
        env={**kept, **place.environment, "PYTHONPATH": str(PROJECT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return Child(process)


def backfill(
    *, tenants: Collection[str] = (), first: date, last: date, select: Collection[str] = ("crm",), rebuild: bool = False
) -> list[str]:
    """The arguments of a backfill, of crm where nothing is selected: faults know no domain, and one is enough."""
    wanted = [*(("--tenant", tenant) for tenant in tenants), *(("--select", name) for name in select)]
    dates = ["--from", first.isoformat(), "--to", last.isoformat()]
    return ["backfill", *(part for pair in wanted for part in pair), *dates, *(["--rebuild"] if rebuild else [])]


def open_gate(gate: Path, children: Collection[Child]) -> None:
    """Let the children go once all are ready."""
    while not all(gate.with_name(f"{gate.name}.ready.{child.process.pid}").exists() for child in children):
        assert all(child.process.poll() is None for child in children), "\n".join(child.said for child in children)
        time.sleep(GLANCE_SECONDS)
    gate.touch()


def _open_files(process: int) -> set[Path]:
    found = set()
    with suppress(FileNotFoundError):
        for link in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):
                found.add(link.readlink())
    return found
