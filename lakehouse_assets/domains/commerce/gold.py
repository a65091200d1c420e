"""commerce gold: revenue by day, and each customer as a whole.

Belongs here: the contracts, and which function computes what they promise. Not here: the formulas (`revenue`,
`customer360`), alerts of telemetry (`gold_alerts`), features for models (`gold_ml`).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from lakehouse_assets.domains.commerce.revenue import daily_revenue, disagreeing_days
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.table import table


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
