"""Recency, frequency, monetary: quintiles over a tenant's customers on a date, and the segments that they make.

Belongs here: scores and the table of segments. Not here: the figures that are scored (`customer360`).
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

QUINTILES = 5
NO_ORDERS = "no_orders"
RECENCY, FREQUENCY, MONETARY = pl.col("rfm_recency"), pl.col("rfm_frequency"), pl.col("rfm_monetary")


class Segment(NamedTuple):
    """Customers alike in their scores: when one `fits`, and the same in `words`, of R, F and M."""

    fits: pl.Expr
    words: str


# The first that fits is the segment; the last fits all.
SEGMENTS = {
    "champions": Segment((RECENCY >= 4) & (FREQUENCY >= 4) & (MONETARY >= 4), "all from 4"),
    "loyal": Segment((RECENCY >= 3) & (FREQUENCY >= 3), "R and F from 3"),
    "new": Segment((RECENCY >= 4) & (FREQUENCY == 1), "R from 4, F 1"),
    "potential_loyal": Segment(RECENCY >= 4, "R from 4"),
    "needs_attention": Segment(RECENCY == 3, "R 3"),
    "at_risk": Segment((FREQUENCY >= 3) | (MONETARY >= 4), "F from 3 or M from 4"),
    "hibernating": Segment(RECENCY == 2, "R 2"),
    "lost": Segment(pl.lit(value=True), "all others"),
}
SEGMENTS_IN_WORDS = "; ".join(f"{name}: {segment.words}" for name, segment in SEGMENTS.items())


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
    return ordered.with_columns(segment_of_scores().alias("rfm_segment"))


def segment_of_scores() -> pl.Expr:
    """The segment of the three scores: the first that fits."""
    fitting = [pl.when(segment.fits).then(pl.lit(name)) for name, segment in SEGMENTS.items()]
    return pl.when(RECENCY.is_null()).then(pl.lit(NO_ORDERS)).otherwise(pl.coalesce(fitting))


def _quintile(figure: pl.Expr) -> pl.Expr:
    """1 + ⌊5 · rows that are worse ÷ rows⌋ among the customers of the date with orders; null for the others."""
    scored = pl.when(pl.col("orders") > 0).then(figure)
    worse = scored.rank("min").over("date").cast(pl.Int64) - 1
    return 1 + QUINTILES * worse // scored.count().over("date")
