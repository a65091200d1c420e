"""A day of telemetry from several hundred devices, window by window, as their gateway would send it.

`python -m lakehouse_assets_tests.benchmarks.telemetry_day --to <landing root>` plays it: one file every few seconds.

Belongs here: what the devices say. Not here: what becomes of it (`live`).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

WINDOW = timedelta(minutes=5)
WINDOWS_A_DAY = 288
SWING, NOISE, SPIKE = 0.5, 0.2, 15.0


@dataclass(frozen=True, kw_only=True)
class TelemetryDay:
    """Devices of a tenant that read a temperature a few times in each window; in each window one of them is off.

    Equal days give equal bytes. Values in degrees Celsius.
    """

    tenant: str
    day: date
    devices: int = 300
    readings: int = 5
    seed: int = 1

    def start(self, window: int) -> datetime:
        """The start of a window of the day, counted from 0."""
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC) + window * WINDOW

    def device_off(self, window: int) -> str:
        """The device whose readings of the window are far from what they should be."""
        return f"device-{window * 7 % self.devices:04}"

    def lines(self, window: int) -> Iterator[str]:
        """The readings of a window, a JSON object each."""
        chance, start = random.Random(f"{self.seed} {self.day} {window}"), self.start(window)
        for number in range(self.devices):
            device = f"device-{number:04}"
            level = 20 + SWING * math.sin(2 * math.pi * (window / WINDOWS_A_DAY + number / self.devices))
            level += SPIKE if device == self.device_off(window) else 0.0
            for reading in range(self.readings):
                at = start + reading * WINDOW / self.readings
                yield json.dumps(
                    {
                        "device_id": device,
                        "event_time": at.isoformat(),
                        "metric_type": "temperature",
                        "metric_value": round(level + chance.gauss(0, NOISE), 3),
                        "region": "north" if number % 2 else "south",
                    }
                )

    def land(self, root: Path, name: str, *windows: int) -> Path:
        """Land windows in one file of the day's folder: it has its name when it is whole."""
        folder = root / self.tenant / "commerce" / "device_telemetry" / self.day.isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{name}.ndjson.part"
        unfinished.write_text("".join(f"{line}\n" for window in windows for line in self.lines(window)))
        return unfinished.rename(folder / f"{name}.ndjson")


def main() -> None:
    parser = argparse.ArgumentParser(prog="telemetry_day", description=__doc__)
    parser.add_argument("--to", type=Path, required=True, help="the landing root")
    parser.add_argument("--tenant", default="acme")
    parser.add_argument("--day", type=date.fromisoformat, default=datetime.now(UTC).date())
    parser.add_argument("--devices", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=5.0, help="between two files")
    given = parser.parse_args()
    played = TelemetryDay(tenant=given.tenant, day=given.day, devices=given.devices)
    for window in range(WINDOWS_A_DAY):
        begin = time.monotonic()
        played.land(given.to, f"{window:03}", window)
        time.sleep(max(0.0, begin + given.seconds - time.monotonic()))


if __name__ == "__main__":
    main()
