"""A cluster on this machine, as deploy/celery/README.md sets one up: each of its programs a process of its own.

Belongs here: starting, killing and asking them. Not here: what must come of it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef

from lakehouse_assets_tests.faults.places import PROJECT, Place
from lakehouse_assets_tests.lake.postgres_server import private_server

DEPLOY = PROJECT / "deploy" / "celery"
MISSING_REDIS = "Redis is missing: apt-get install redis-server (it need not be running)"
START_SECONDS = 60


@dataclass
class Program:
    """A running program, with all that it starts, and what it prints."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def processes(self) -> set[int]:
        """The ids of the program and of what it has started."""
        found = set()
        for entry in Path("/proc").iterdir():
            with suppress(ProcessLookupError, FileNotFoundError):
                if entry.name.isdigit() and os.getpgid(int(entry.name)) == self.process.pid:
                    found.add(int(entry.name))
        return found

    def kill(self) -> None:
        """Kill -9 of all at once, as when a machine loses its power."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class Cluster:
    """The programs, and the environment in which each of them runs."""

    place: Place
    environment: Mapping[str, str]
    home: Path
    programs: dict[str, Program] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> Program:
        """Start a program in a process group of its own."""
        output = self.home / f"{name}.txt"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.programs[name] = Program(name, process, output)
        return self.programs[name]

    def kill_all(self) -> None:
        for program in reversed(self.programs.values()):
            program.kill()

    def start_worker(self, name: str) -> Program:
        """One more worker, with one place for a run."""
        settings = ["--app", "dagster_celery.app", "--config-yaml", str(DEPLOY / "worker.yaml"), "--name", name]
        program = self.start(name, "dagster-celery", "worker", "start", *settings, "--", "--concurrency", "1")
        wait_until(lambda: " ready." in program.said, program)
        return program

    def start_daemon(self) -> Program:
        """Without the sensor, which would build on its own what a backfill leaves out."""
        workspace = ["--workspace", str(PROJECT / "workspace.yaml")]
        self.run("dagster", "sensor", "stop", "landing", *workspace)
        return self.start("daemon", "dagster-daemon", "run", *workspace)

    def run(self, *command: str) -> str:
        """What a command prints; it must end with status 0."""
        environment = dict(self.environment)
        done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """The instance that all of them share."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(self.home))) as instance:
                yield instance

    def told(self) -> str:
        """The end of what each program printed, for a failure's message."""
        return "\n".join(f"--- {name}\n{program.said[-3000:]}" for name, program in self.programs.items())


def wait_until(is_so: Callable[[], bool], program: Program | None = None, seconds: float = START_SECONDS) -> None:
    """Look again and again until something is so."""
    until = time.monotonic() + seconds
    while not is_so():
        if program is not None and program.process.poll() is not None:
            pytest.fail(f"{program.name} ended:\n{program.said}", pytrace=False)
        if time.monotonic() > until:
            pytest.fail(f"it did not come to pass in {seconds} seconds\n{program.said if program else ''}")
        time.sleep(0.2)


@contextmanager
def cluster(place: Place) -> Iterator[Cluster]:
    """Redis and PostgreSQL, an instance that uses them, and no worker yet; all is stopped at the end."""
    if shutil.which("redis-server") is None:
        pytest.fail(MISSING_REDIS, pytrace=False)
    with ExitStack() as stack:
        databases = stack.enter_context(private_server())
        url = databases.url(databases.create(), "postgresql")
        port = _free_port()
        home = place.home / "cluster"
        home.mkdir(parents=True)
        _write_instance(home)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "DAGSTER_"))}
        environment = {
            **kept,
            **place.environment,
            "PYTHONPATH": str(PROJECT),
            "DAGSTER_HOME": str(home),
            "DAGSTER_POSTGRES_URL": url,
            "DAGSTER_CELERY_BROKER": f"redis://127.0.0.1:{port}/0",
            "DAGSTER_CELERY_BACKEND": f"redis://127.0.0.1:{port}/1",
        }
        made = Cluster(place, environment, home)
        stack.callback(made.kill_all)
        redis = made.start(
            "redis", "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home)
        )
        wait_until(lambda: "Ready to accept connections" in redis.said, redis)
        # Tables are made by whoever comes first, and only by one.
        with made.instance() as instance:
            assert not instance.get_runs_count()
        yield made


def _write_instance(home: Path) -> None:
    """The instance that is shipped, looking after its runs more often."""
    settings = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    settings["run_launcher"]["config"]["silence_seconds"] = 10
    settings["run_monitoring"]["poll_interval_seconds"] = 3
    settings["concurrency"]["runs"]["max_concurrent_runs"] = 2
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
