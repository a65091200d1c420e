"""commerce gold of devices: the alerts that their telemetry gives.

Belongs here: the contract of the alerts. Not here: what makes one (`alerts`), and what makes an anomaly (`anomalies`).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from lakehouse_assets.domains.commerce.alerts import CHAIN_DAYS, alerts_of
from lakehouse_assets.domains.commerce.silver_telemetry import RULES
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.partitions import Window, trailing
from lakehouse_assets.lake.table import table

SEVERITIES = ["critical", "major", "warning"]


class AnomalyAlerts(Contract):
    """One row per anomalous 5-minute window of the date, device and metric; windows of one alert share its id."""

    device_id: str = column("Device that measured", key=True)
    metric_type: str = column("What it measured, as a code", key=True)
    window_start: Annotated[pl.Datetime, "us", "UTC"] = column("Start of the window", key=True)
    window_end: Annotated[pl.Datetime, "us", "UTC"] = column("End of the window, which is not in it")
    region: str = column("Region of the latest reading", nullable=True)
    readings: int = column("Readings in the window", ge=1)
    median_value: float = column("Their median")
    expected_value: float = column("What it was expected to be; null without enough history", nullable=True)
    anomaly_score: float = column("Median less expected, in spreads of such differences", nullable=True)
    severity: str = column("critical from a score of 12 or beyond a hard limit, major from 8", isin=SEVERITIES)
    rule: str = column("The gravest rule that the window breaks", isin=RULES)
    alert_id: str = column("One for windows of a device and metric that begin at most 15 minutes after one another")
    customer_id: str = column("Customer that had the device at window_start; null where no one did", nullable=True)


@table(AnomalyAlerts, windows={"silver_telemetry_windows": trailing(days=CHAIN_DAYS)}, sparse=True)
def gold_anomaly_alerts(
    silver_telemetry_windows: pl.LazyFrame, silver_device_assignments: pl.LazyFrame, window: Window
) -> pl.LazyFrame:
    """A device that no one has can still be on fire: its alerts are kept, without a customer."""
    return alerts_of(silver_telemetry_windows, silver_device_assignments, window.first, window.last)
