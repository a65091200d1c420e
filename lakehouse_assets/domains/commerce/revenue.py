"""Revenue by day, product and region, and its agreement with the transactions, to the cent.

Belongs here: pure functions of transactions. Not here: contracts (`gold`), and what single customers spend
(`customer360`).
"""

from __future__ import annotations

import polars as pl

from lakehouse_assets.domains.commerce.silver import UNKNOWN

MONEY = pl.Decimal(18, 2)


def refunded(amount: pl.Expr) -> pl.Expr:
    """What of an amount went back, as a positive figure."""
    return pl.when(amount < 0).then(-amount)


def daily_revenue(facts: pl.LazyFrame) -> pl.LazyFrame:
    """One row per date, product and region with a transaction: how many, pieces, and money in USD, exactly.

    `revenue` is what came in, `refunds` what went back, as a positive figure, `net_revenue` their difference. Lines
    that name no product count as product UNKNOWN.
    """
    amount = pl.col("amount")
    return (
        facts.group_by("date", pl.col("product_id").fill_null(UNKNOWN), "region")
        .agg(
            pl.len().cast(pl.Int64).alias("transactions"),
            pl.col("quantity").sum(),
            amount.filter(amount >= 0).sum().cast(MONEY).alias("revenue"),
            refunded(amount).sum().cast(MONEY).alias("refunds"),
            amount.sum().cast(MONEY).alias("net_revenue"),
        )
        .sort("date", "product_id", "region")
    )


def disagreeing_days(revenue: pl.LazyFrame, facts: pl.LazyFrame) -> pl.LazyFrame:
    """The dates on which the net revenue is not the sum of the transactions' amounts, with both."""
    booked = revenue.group_by("date").agg(pl.col("net_revenue").sum().cast(MONEY))
    sold = facts.group_by("date").agg(pl.col("amount").sum().cast(MONEY))
    both = booked.join(sold, on="date", how="full", coalesce=True).with_columns(
        pl.col("net_revenue", "amount").fill_null(0).cast(MONEY)
    )
    return both.filter(pl.col("net_revenue") != pl.col("amount")).sort("date")
