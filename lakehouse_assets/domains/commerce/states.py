"""States of customers that last for stretches of dates, each stretch one row with `_from` and `_until`.

Belongs here: from changes to stretches, and from stretches to dates. Not here: what changes (`customer360`,
`categories`).

Rows come sorted, so that a group ends where its key does: hashing the keys again would take most of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl


def running(changes: pl.LazyFrame, sums: Sequence[str], by: Sequence[str]) -> pl.LazyFrame:
    """Sums of all changes of a group up to each; the changes are sorted by the group and `_from`."""
    is_first = ~pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in by).fill_null(value=False)
    total = {name: pl.col(name).cum_sum() for name in sums}
    before = {name: pl.when(is_first).then(total[name] - pl.col(name)).forward_fill() for name in sums}
    return changes.with_columns((total[name] - before[name]).alias(name) for name in sums)


def lasting(states: pl.LazyFrame, last: date) -> pl.LazyFrame:
    """Add `_until`, the date before the customer's next state; the states are sorted by customer and `_from`."""
    changes_again = pl.col("customer_id") == pl.col("customer_id").shift(-1)
    until = pl.when(changes_again).then(pl.col("_from").shift(-1) - timedelta(days=1)).otherwise(pl.lit(last))
    return states.with_columns(until.alias("_until"))


def on_each_date(states: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """One row with `date` for each date on which a state lasts."""
    if first == last:
        return states.drop("_from", "_until").with_columns(pl.lit(first).alias("date"))
    dates = pl.date_ranges("_from", "_until").alias("date")
    return states.with_columns(dates).drop("_from", "_until").explode("date", empty_as_null=False)
