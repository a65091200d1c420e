"""commerce gold: revenue by day, and each customer as a whole.

Belongs here: the contracts, and which function computes what they promise. Not here: the formulas (`revenue`,
`customer360`), alerts of telemetry (`gold_alerts`), features for models (`gold_ml`).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from lakehouse_assets.domains.commerce.customer360 import Inputs, customer_figures
from lakehouse_assets.domains.commerce.customers import RECENT_DAYS, TRAILING_DAYS
from lakehouse_assets.domains.commerce.revenue import daily_revenue, disagreeing_days
from lakehouse_assets.domains.commerce.rfm import NO_ORDERS, SEGMENTS, SEGMENTS_IN_WORDS, with_rfm
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.partitions import Window, trailing
from lakehouse_assets.lake.table import table

QUINTILE = {"min_value": 1, "max_value": 5}


class DailyRevenue(Contract):
    """One row per product and region with a transaction on the date."""

    product_id: str = column("Product; UNKNOWN where the lines name none", key=True)
    region: str = column("The customers' region; UNKNOWN for guests and unknown customers", key=True)
    transactions: int = column("Lines of invoices, refunds included", ge=1)
    quantity: int = column("Pieces, less those that came back")
    revenue: Annotated[pl.Decimal, 18, 2] = column("What came in", unit="USD", ge=0)
    refunds: Annotated[pl.Decimal, 18, 2] = column("What went back, as a positive figure", unit="USD", ge=0)
    net_revenue: Annotated[pl.Decimal, 18, 2] = column("revenue − refunds", unit="USD")


def net_revenue_equals_facts(gold_daily_revenue: pl.LazyFrame, silver_transaction_facts: pl.LazyFrame) -> pl.LazyFrame:
    """The net revenue of a day is the sum of the amounts of its transactions, to the cent."""
    return disagreeing_days(gold_daily_revenue, silver_transaction_facts)


@table(DailyRevenue, alerts=(net_revenue_equals_facts,))
def gold_daily_revenue(silver_transaction_facts: pl.LazyFrame) -> pl.LazyFrame:
    """Guests and products that no catalogue knows bring money too: every line counts somewhere."""
    return daily_revenue(silver_transaction_facts)


class Customer360(Contract):
    """One row per customer: what it bought and did in the days to the date, and where it stands among the others.

    Figures without a span in their name are of the 365 days to the date, as far as they have landed.
    """

    customer_id: str = column("Customer", key=True)
    region: str = column("Region in upper case; UNKNOWN where the source says none")
    year_month: str = column("Month of the date, YYYY-MM")
    tenure_days: int = column("Days from the first registration to the date", unit="days")
    orders: int = column("Distinct invoices; a line without an invoice is one of its own", ge=0)
    revenue: Annotated[pl.Decimal, 18, 2] = column("What the customer paid, less refunds", unit="USD")
    refunds: Annotated[pl.Decimal, 18, 2] = column("What went back, as a positive figure", unit="USD", ge=0)
    avg_order_value: Annotated[pl.Decimal, 18, 2] = column(
        "revenue ÷ orders, half-even; null without orders", unit="USD", nullable=True
    )
    last_order_at: Annotated[pl.Datetime, "us", "UTC"] = column("Time of the last line", nullable=True)
    days_since_last_order: int = column("Days from then to the date", unit="days", nullable=True, ge=0)
    revenue_30d: Annotated[pl.Decimal, 18, 2] = column("Revenue of the 30 days to the date", unit="USD")
    revenue_90d: Annotated[pl.Decimal, 18, 2] = column("Revenue of the 90 days to the date", unit="USD")
    revenue_mtd: Annotated[pl.Decimal, 18, 2] = column("Revenue of the month up to the date", unit="USD")
    orders_mtd: int = column("Orders of the month up to the date", ge=0)
    active_days_30d: int = column("Dates with an event or a transaction among the 30 to the date", unit="days", ge=0)
    events_30d: int = column("App events in the 30 days to the date", ge=0)
    sessions_30d: int = column("Distinct sessions among them", ge=0)
    devices: int = column("Devices that the customer has at the end of the date", ge=0)
    anomalies_30d: int = column("Anomalous windows of its devices in the 30 days to the date", ge=0)
    favourite_category: str = column(
        "Category of most purchase lines, of equals the one with the highest revenue, then by name", nullable=True
    )
    rfm_recency: int = column("Quintile by days since the last order; 5 is best", nullable=True, in_range=QUINTILE)
    rfm_frequency: int = column("Quintile by orders; 5 is best", nullable=True, in_range=QUINTILE)
    rfm_monetary: int = column("Quintile by revenue; 5 is best", nullable=True, in_range=QUINTILE)
    rfm_segment: str = column(
        f"The first that the quintiles R, F and M fit. {SEGMENTS_IN_WORDS}; {NO_ORDERS}: no quintiles",
        isin=[*SEGMENTS, NO_ORDERS],
    )


@table(
    Customer360,
    windows={
        "silver_transaction_facts": trailing(days=TRAILING_DAYS),
        "silver_customer_events": trailing(days=RECENT_DAYS),
        "gold_anomaly_alerts": trailing(days=RECENT_DAYS),
    },
)
def gold_customer360(
    silver_customers: pl.LazyFrame,
    silver_products: pl.LazyFrame,
    silver_device_assignments: pl.LazyFrame,
    silver_transaction_facts: pl.LazyFrame,
    silver_customer_events: pl.LazyFrame,
    gold_anomaly_alerts: pl.LazyFrame,
    window: Window,
) -> pl.LazyFrame:
    """A customer that has not bought yet is a customer: kept with zeros, in a segment of its own."""
    given = Inputs(
        customers=silver_customers.select("date", "customer_id", "region", "signup_date"),
        products=silver_products,
        assignments=silver_device_assignments,
        facts=silver_transaction_facts,
        events=silver_customer_events,
        anomalies=gold_anomaly_alerts,
    )
    return with_rfm(customer_figures(given, window.first, window.last)).sort("date", "customer_id")
