"""Files that land every few seconds, and how long it takes until their alerts are there, by the sensor alone.

Belongs here: item 'live'. Not here: what lands (`telemetry_day`).

Yesterday is in the lake. Then Dagster's daemon runs as it does for anyone, with the sensor and the run launcher of the
project's own settings, while today's windows land one after the other. In each of them one device is off; the time from
the moment in which its file has its name to the commit in which its alert can be read is the latency.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from lakehouse_assets_tests.benchmarks.figures import Findings
from lakehouse_assets_tests.benchmarks.grounds import Ground
from lakehouse_assets_tests.benchmarks.processes import OURS, PROJECT, BenchmarkError, answer
from lakehouse_assets_tests.benchmarks.sizes import Sizes
from lakehouse_assets_tests.benchmarks.telemetry_day import WINDOWS_A_DAY, TelemetryDay

TENANT = "acme"
ALERTS = "commerce/gold/anomaly_alerts"
MOST_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 300.0
LOOK_SECONDS = 0.5
DAEMON = str(Path(sys.executable).parent / "dagster-daemon")
LIVE_FILES = "lakehouse_assets_tests.benchmarks.live_files"


def live(folder: Path, sizes: Sizes, found: Findings) -> None:
    """Play a part of a day, and report latencies and how many files are left of it."""
    ground, today = Ground(folder / "live"), datetime.now(UTC).date()
    yesterday = TelemetryDay(tenant=TENANT, day=today - timedelta(days=1), devices=sizes.live_devices)
    yesterday.land(ground.landing, "whole", *range(WINDOWS_A_DAY))
    ground.empty()
    ground.backfill("--select", "commerce", "--from", str(yesterday.day), "--to", str(yesterday.day))
    played = TelemetryDay(tenant=TENANT, day=today, devices=sizes.live_devices)
    with _daemon(ground):
        latencies = _play(ground, played, sizes)
    told = answer(LIVE_FILES, str(today), environment=ground.environment)
    ground.remove()
    what = f"{sizes.live_files} files of {sizes.live_devices} devices, one every {sizes.live_seconds} s"
    tail = quantiles(latencies, n=20)[-1] if len(latencies) > 1 else latencies[0]
    found.add(
        item="live",
        what=f"{what}: from landing to gold_anomaly_alerts by the sensor, the slowest",
        target=f"under {MOST_SECONDS:.0f} s",
        measured=f"{max(latencies):.1f} s (median {median(latencies):.1f} s, 95 % within {tail:.1f} s)",
        ratio=max(latencies) / MOST_SECONDS,
        limit=1.0,
    )
    found.add(
        item="live",
        what=f"{what}: most live files of a table's partition, {told['runs']} runs and {told['commits']} commits later",
        target="at most 1",
        measured=str(told["most_files"]),
        ratio=float(told["most_files"]),
        limit=1.0,
    )


@contextmanager
def _daemon(ground: Ground) -> Iterator[None]:
    """Dagster's daemon on the ground, until the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    with (ground.folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [DAEMON, "run", "-w", str(PROJECT / "workspace.yaml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**kept, **ground.environment, "DAGSTER_EVENT_BATCH_SIZE": "1000"},
            cwd=PROJECT,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _play(ground: Ground, played: TelemetryDay, sizes: Sizes) -> list[float]:
    """Land the windows in their time; the seconds after which each one's alert was there.

    Raises BenchmarkError where alerts do not come.
    """
    landed: dict[tuple[str, datetime], float] = {}
    latencies: dict[tuple[str, datetime], float] = {}
    seen, begin = -1, time.time()
    while len(latencies) < sizes.live_files:
        window = len(landed)
        if window < sizes.live_files and time.time() >= begin + window * sizes.live_seconds:
            played.land(ground.landing, f"{window:03}", window)
            landed[played.device_off(window), played.start(window)] = time.time()
        seen, alerts = _alerts(ground, played, seen)
        now = time.time()
        latencies |= {one: now - landed[one] for one in landed.keys() & alerts if one not in latencies}
        last = max(landed.values(), default=begin)
        if len(landed) == sizes.live_files and now > last + LONGEST_WAIT_SECONDS:
            ending = (ground.folder / "daemon.log").read_text(errors="replace")[-4000:]
            raise BenchmarkError(f"{sizes.live_files - len(latencies)} alerts did not come:\n{ending}")
        time.sleep(LOOK_SECONDS)
    return list(latencies.values())


def _alerts(ground: Ground, played: TelemetryDay, seen: int) -> tuple[int, set[tuple[str, datetime]]]:
    """The newest version of the alerts, and the day's alerts where it is another than the one seen."""
    import polars as pl
    from deltalake import DeltaTable

    table = DeltaTable(str(ground.lake / ALERTS))
    if table.version() == seen:
        return seen, set()
    rows = pl.read_delta(table).filter(pl.col("date") == played.day)
    return table.version(), set(rows.select("device_id", "window_start").rows())
