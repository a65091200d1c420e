"""commerce silver as it was known: what landed on each ingest date, untouched by what landed later.

Silver is restated: a correction replaces the row that it corrects. Whatever promises a point in time reads these tables
instead, whose dates are ingest dates. Belongs here: their contracts. Not here: what of them counts on a date
(`as_known`, `ml_features`).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from lakehouse_assets.domains.commerce.anomalies import windows_of
from lakehouse_assets.domains.commerce.as_known import AS_KNOWN_DAYS, anomalies_as_known
from lakehouse_assets.domains.commerce.metrics import METRICS
from lakehouse_assets.domains.commerce.silver import (
    CustomerEvents,
    TransactionFacts,
    silver_customer_events,
    silver_transaction_facts,
)
from lakehouse_assets.domains.commerce.silver_telemetry import (
    RULES,
    DeviceTelemetry,
    TelemetryMedians,
    silver_device_telemetry,
)
from lakehouse_assets.domains.commerce.sources import CUSTOMER_EVENTS, DEVICE_TELEMETRY, TRANSACTIONS
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.partitions import Window, trailing
from lakehouse_assets.lake.table import table
from lakehouse_assets.lake.versions import valid_versions


class TransactionVersions(Contract):
    """One row per line of an invoice and business date that landed valid on the date, an ingest date."""

    transaction_id: str = column("Line of an invoice", key=True)
    business_date: pl.Date = column("UTC date of the sale, as this version has it", key=True)
    customer_id: str = column("Customer that bought; null for a guest", nullable=True)
    product_id: str = column("Product that was bought", nullable=True)
    invoice_id: str = column("Invoice that the line stands on", nullable=True)
    amount: Annotated[pl.Decimal, 10, 2] = column("Value of the line; negative for a refund", unit="USD")


@table(TransactionVersions, sparse=True)
def silver_transaction_versions(bronze_transactions: pl.LazyFrame) -> pl.LazyFrame:
    """What was wrong and is corrected today was what anyone could know yesterday."""
    return valid_versions(silver_transaction_facts, TransactionFacts, TRANSACTIONS, bronze_transactions)


class EventVersions(Contract):
    """One row per thing done in the app and business date that landed valid on the date, an ingest date."""

    event_id: str = column("Event", key=True)
    business_date: pl.Date = column("UTC date on which it was done, as this version has it", key=True)
    customer_id: str = column("Customer that did it; null when nobody was logged in", nullable=True)
    session_id: str = column("Session of the app", nullable=True)


@table(EventVersions, sparse=True)
def silver_event_versions(bronze_customer_events: pl.LazyFrame) -> pl.LazyFrame:
    """An event that lands late was not known before."""
    return valid_versions(silver_customer_events, CustomerEvents, CUSTOMER_EVENTS, bronze_customer_events)


class TelemetryLanded(TelemetryMedians):
    """One row per device, metric and 5-minute window with readings that landed on the date, an ingest date."""


@table(TelemetryLanded, sparse=True)
def silver_telemetry_landed(bronze_device_telemetry: pl.LazyFrame) -> pl.LazyFrame:
    """A window that lands on two days has a row on each, from that day's readings alone."""
    return windows_of(
        valid_versions(silver_device_telemetry, DeviceTelemetry, DEVICE_TELEMETRY, bronze_device_telemetry)
    )


class AnomaliesAsKnown(Contract):
    """One row per anomalous 5-minute window of the 30 days to the date, an ingest date, that landed first on the date.

    It is judged by what had landed by then, and never again. A window that lands after a later one of its device and
    metric is no longer news: it is neither judged nor history for others.
    """

    device_id: str = column("Device that measured", key=True)
    metric_type: str = column("What it measured, as a code", key=True)
    window_start: Annotated[pl.Datetime, "us", "UTC"] = column("Start of the window", key=True)
    anomaly_score: float = column("Median less expected, in spreads of such differences", nullable=True)
    rule: str = column("The gravest rule that the window breaks", isin=RULES)


@table(AnomaliesAsKnown, windows={"silver_telemetry_landed": trailing(days=AS_KNOWN_DAYS)}, sparse=True)
def silver_anomalies_as_known(silver_telemetry_landed: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    """Whoever was on watch saw this, whatever is known better since."""
    return anomalies_as_known(silver_telemetry_landed, METRICS, window.first, window.last)
