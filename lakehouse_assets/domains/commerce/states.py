"""States of customers that last for stretches of dates, each stretch one row with `_from` and `_until`.

Belongs here: from changes to stretches, and from stretches to dates. Not here: what changes (`customer360`,
`categories`).
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl


def lasting(states: pl.LazyFrame, last: date) -> pl.LazyFrame:
    """Add `_until`, the date before the customer's next state; the states are sorted by customer and `_from`."""
    until = (pl.col("_from").shift(-1) - timedelta(days=1)).fill_null(last)
    return states.with_columns(until.over("customer_id").alias("_until"))


def on_each_date(states: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """One row with `date` for each date on which a state lasts."""
    if first == last:
        return states.drop("_from", "_until").with_columns(pl.lit(first).alias("date"))
    dates = pl.date_ranges("_from", "_until").alias("date")
    return states.with_columns(dates).drop("_from", "_until").explode("date", empty_as_null=False)
