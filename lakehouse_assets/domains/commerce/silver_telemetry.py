"""commerce silver of devices: their readings, who had them when, and their readings by window, judged.

Belongs here: the contracts of telemetry, and which function computes what they promise. Not here: the formulas
(`anomalies`), thresholds (`metrics`) and alerts (`gold_alerts`).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from lakehouse_assets.domains.commerce.anomalies import HISTORY_DAYS, judged_windows, windows_of
from lakehouse_assets.domains.commerce.metrics import METRICS
from lakehouse_assets.domains.commerce.sources import DEVICE_ASSIGNMENTS, DEVICE_TELEMETRY
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.partitions import Window, trailing
from lakehouse_assets.lake.table import table
from lakehouse_assets.lake.values import code, number, text, timestamp

METHODS = ["seasonal", "recent", "none"]
RULES = ["score", "hard_limit", "flatline", "silence"]


class DeviceTelemetry(Contract):
    """One row per device, metric and time: what the device read."""

    device_id: str = column("Device that measured", key=True)
    event_time: Annotated[pl.Datetime, "us", "UTC"] = column("Time at which it measured", key=True)
    metric_type: str = column("What it measured, as a code", key=True)
    metric_value: float = column("What it read, in the metric's unit")
    region: str = column("Region that the device stands in", nullable=True)


@table(DeviceTelemetry, source=DEVICE_TELEMETRY)
def silver_device_telemetry(bronze_device_telemetry: pl.LazyFrame) -> pl.LazyFrame:
    """A reading is taken as it is: whether it can be true is for the windows' rules to say."""
    return bronze_device_telemetry.with_columns(
        text("device_id"), timestamp("event_time"), code("metric_type"), number("metric_value"), text("region")
    )


class DeviceAssignments(Contract):
    """One row per device and time from which a customer has it, as known at the end of the date."""

    device_id: str = column("Device", key=True)
    customer_id: str = column("Customer that has it")
    assigned_from: Annotated[pl.Datetime, "us", "UTC"] = column("Time from which the customer has it", key=True)
    assigned_to: Annotated[pl.Datetime, "us", "UTC"] = column(
        "Time from which no longer; null while the customer has it", nullable=True
    )


@table(DeviceAssignments, source=DEVICE_ASSIGNMENTS)
def silver_device_assignments(bronze_device_assignments: pl.LazyFrame) -> pl.LazyFrame:
    """Assignments may overlap: whoever got the device last has it."""
    return bronze_device_assignments.with_columns(
        text("device_id"), text("customer_id"), timestamp("assigned_from"), timestamp("assigned_to")
    )


class TelemetryMedians(Contract):
    """One row per device, metric and 5-minute window of the date that has readings: what they come to.

    A small table that the windows read weeks of, so that readings are never summed up twice.
    """

    device_id: str = column("Device that measured", key=True)
    metric_type: str = column("What it measured, as a code", key=True)
    window_start: Annotated[pl.Datetime, "us", "UTC"] = column("Start of the window; its end is not in it", key=True)
    readings: int = column("Readings in the window", ge=1)
    first_value: float = column("The earliest of them")
    median_value: float = column("Their median")
    min_value: float = column("The lowest of them")
    max_value: float = column("The highest of them")
    region: str = column("Region of the latest of them", nullable=True)


@table(TelemetryMedians, sparse=True)
def silver_telemetry_medians(silver_device_telemetry: pl.LazyFrame) -> pl.LazyFrame:
    """A median shrugs off a single wild reading; the extremes keep it for the hard limits."""
    return windows_of(silver_device_telemetry)


class TelemetryWindows(TelemetryMedians):
    """One row per device, metric and 5-minute window of the date that has readings: how far off they are.

    Expected is the median of the same time of day over the 14 days before, `seasonal`, else of the 24 hours before,
    `recent`, else null, `none`. The score is the residual ÷ 1.4826 · median absolute deviation of the residuals of the
    7 days (24 hours) before, or ÷ the metric's floor where that is more. Windows that end before this one count.
    """

    expected_value: float = column("What the median was expected to be; null without enough history", nullable=True)
    anomaly_score: float = column("Median less expected, in spreads of such differences", nullable=True)
    is_anomaly: bool = column("Whether it breaks a rule of its metric")
    method: str = column("What the expectation rests on", isin=METHODS)
    rule: str = column("The gravest rule that it breaks; null where none", nullable=True, isin=RULES)


@table(TelemetryWindows, windows={"silver_telemetry_medians": trailing(days=HISTORY_DAYS)}, sparse=True)
def silver_telemetry_windows(silver_telemetry_medians: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    """A device is measured against its own past, at the same time of day where there are days enough."""
    return judged_windows(silver_telemetry_medians, METRICS, window.first, window.last)
