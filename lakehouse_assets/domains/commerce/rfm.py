"""Recency, frequency, monetary: quintiles over a tenant's customers on a date, and the segments that they make.

Belongs here: scores and the table of segments. Not here: the figures that are scored (`customer360`).
"""

from __future__ import annotations

import polars as pl

QUINTILES = 5
NO_ORDERS = "no_orders"
RECENCY, FREQUENCY, MONETARY = pl.col("rfm_recency"), pl.col("rfm_frequency"), pl.col("rfm_monetary")
# The first that fits is the segment; the last fits all.
SEGMENTS: dict[str, pl.Expr] = {
    # Bought lately, often and much.
    "champions": (RECENCY >= 4) & (FREQUENCY >= 4) & (MONETARY >= 4),
    # Come back, and not long ago.
    "loyal": (RECENCY >= 3) & (FREQUENCY >= 3),
    # Bought lately, and as rarely as one can.
    "new": (RECENCY >= 4) & (FREQUENCY == 1),
    # Bought lately, and not for the first time.
    "potential_loyal": RECENCY >= 4,
    # Neither lately nor long ago, and seldom.
    "needs_attention": RECENCY == 3,
    # Were worth much, and have been away.
    "at_risk": (FREQUENCY >= 3) | (MONETARY >= 4),
    # Away, and never were worth much.
    "hibernating": RECENCY == 2,
    # The same, for longest.
    "lost": pl.lit(value=True),
}


def with_rfm(figures: pl.LazyFrame) -> pl.LazyFrame:
    """Add `rfm_recency`, `rfm_frequency`, `rfm_monetary` (1–5, 5 is best) and `rfm_segment`.

    Scores are quintiles among the customers of a date with orders: by days since the last order, orders and revenue;
    equal figures have equal scores. Customers without orders have none, and the segment `no_orders`. `figures` holds
    all customers of the tenant on each date.
    """
    ordered = figures.with_columns(
        _quintile(-pl.col("days_since_last_order")).alias("rfm_recency"),
        _quintile(pl.col("orders")).alias("rfm_frequency"),
        _quintile(pl.col("revenue")).alias("rfm_monetary"),
    )
    return ordered.with_columns(segment().alias("rfm_segment"))


def segment() -> pl.Expr:
    """The segment of the three scores: the first that fits."""
    fitting = [pl.when(fits).then(pl.lit(name)) for name, fits in SEGMENTS.items()]
    return pl.when(RECENCY.is_null()).then(pl.lit(NO_ORDERS)).otherwise(pl.coalesce(fitting))


def _quintile(figure: pl.Expr) -> pl.Expr:
    """1 + ⌊5 · rows that are worse ÷ rows⌋ among the customers of the date with orders; null for the others."""
    scored = pl.when(pl.col("orders") > 0).then(figure)
    worse = scored.rank("min").over("date").cast(pl.Int64) - 1
    return 1 + QUINTILES * worse // scored.count().over("date")
