"""How much work the benchmarks do: that of the targets, or little, to see that they run.

Belongs here: the one place for sizes. Not here: what is done with them.
"""

from __future__ import annotations

from dataclasses import dataclass

ITEMS = ("start", "day", "memory", "history", "daily", "sensor", "telemetry", "live")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of the work.

    Args:
        rows: Records in one tenant-day; each size is measured.
        repetitions: How often each of these sizes is measured.
        spread_rows: Records in several ingest dates of one tenant, for memory; 0 for none.
        spread_days: So many ingest dates.
        tenants: Tenants of the lakes with a history.
        days: Days of the long history.
        short_days: Days of the short one.
        records_a_day: Records in each of their tenant-days.
        new_days: Tenants that land a new day on either lake.
        alone_days: Tenant-days whose partitions are built by a run each, in one process.
        alone_processes: Tenant-days whose runs are a process each.
        sensor_tenants: Tenants that the sensor looks over.
        sensor_days: Their days.
        ticks: Ticks of the sensor with nothing to do.
        starts: How often a command is started.
        readings: Readings of telemetry, from landing to alerts.
        devices: Devices that they are of.
        telemetry_days: Days that they are of.
        telemetry_repetitions: How often they are measured.
        live_files: Files that land while the daemon runs, of a window of 5 minutes each: 288 are a day.
        live_devices: Devices that are in each of them.
        live_seconds: Seconds from one to the next.
    """

    rows: tuple[int, ...] = (1_000_000, 10_000_000)
    repetitions: tuple[int, ...] = (3, 2)
    spread_rows: int = 50_000_000
    spread_days: int = 10
    tenants: int = 10
    days: int = 365
    short_days: int = 10
    records_a_day: int = 100
    new_days: int = 5
    alone_days: int = 2
    alone_processes: int = 2
    sensor_tenants: int = 50
    sensor_days: int = 30
    ticks: int = 5
    starts: int = 5
    readings: int = 10_000_000
    devices: int = 100
    telemetry_days: int = 35
    telemetry_repetitions: int = 2
    live_files: int = 288
    live_devices: int = 300
    live_seconds: int = 5

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.repetitions):
            raise ValueError(f"{len(self.rows)} sizes and {len(self.repetitions)} repetitions: name one for each size")
        if self.tenants < self.new_days + self.alone_days + self.alone_processes:
            raise ValueError("each new day and each day built run by run takes a tenant of its own: take more tenants")


QUICK = Sizes(
    rows=(20_000,),
    repetitions=(1,),
    spread_rows=40_000,
    spread_days=2,
    tenants=3,
    days=8,
    short_days=2,
    new_days=1,
    alone_days=1,
    alone_processes=0,
    sensor_tenants=2,
    sensor_days=2,
    ticks=2,
    starts=1,
    readings=30_000,
    devices=4,
    telemetry_days=7,
    telemetry_repetitions=1,
    live_files=2,
    live_devices=20,
    live_seconds=2,
)
