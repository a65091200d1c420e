"""What is known of each customer on each date: orders, money, events, devices, alerts and favourite category.

Belongs here: pure functions of snapshots and events, for a range of dates at once. Not here: contracts (`gold`), the
favourite category (`categories`), quintiles and segments (`rfm`).

Figures of trailing days are sums over time: a row counts from its date and is taken away when it leaves the window,
so that a range costs its rows and the dates on which a customer's figures change, not dates × rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from lakehouse_assets.domains.commerce.categories import favourite_categories
from lakehouse_assets.domains.commerce.customers import CUSTOMER, RECENT_DAYS, TRAILING_DAYS
from lakehouse_assets.domains.commerce.revenue import MONEY, refunded
from lakehouse_assets.domains.commerce.states import lasting, on_each_date, running

QUARTER_DAYS = 90
MONEYS = ("revenue", "refunds", "revenue_30d", "revenue_90d", "revenue_mtd")
COUNTS = ("orders", "orders_mtd", "active_days_30d", "events_30d", "sessions_30d", "anomalies_30d")


class Counted(NamedTuple):
    """A sum over rows, each of which counts from its `date` until the date `gone`, that date not included."""

    name: str
    value: pl.Expr
    gone: pl.Expr


class Inputs(NamedTuple):
    """Snapshots of each date in question, and rows by business date from as long before as their figures reach."""

    customers: pl.LazyFrame
    products: pl.LazyFrame
    assignments: pl.LazyFrame
    facts: pl.LazyFrame  # 364 days
    events: pl.LazyFrame  # 29 days
    anomalies: pl.LazyFrame  # 29 days


def customer_figures(given: Inputs, first: date, last: date) -> pl.LazyFrame:
    """Each customer's figures on each date of `first` … `last` that it is in `customers` on: its columns, and

    `tenure_days`, `year_month`; of the 365 days to the date `orders` (distinct invoices; a line without one is its
    own), `revenue` (USD, less refunds), `refunds`, `avg_order_value`, `last_order_at`, `days_since_last_order`,
    `favourite_category`; `revenue_30d`, `revenue_90d`; of the date's month up to it `revenue_mtd` and `orders_mtd`; of
    30 days `active_days_30d` (with an event or a transaction), `events_30d`, `sessions_30d`, `anomalies_30d`; and
    `devices` at the end of the date. Each date is computed from its own snapshots and trailing days only.
    """
    orders = pl.col("orders")
    states = _states(given, first, last)
    favourites = favourite_categories(given.facts, given.products, first, last, TRAILING_DAYS)
    last_order = pl.when(orders > 0).then("last_order_at")
    return (
        given.customers.filter(pl.col("date").is_between(first, last))
        .join(on_each_date(states, first, last), on=CUSTOMER, how="left")
        .join(on_each_date(favourites, first, last), on=CUSTOMER, how="left")
        .join(_devices(given.assignments, first, last), on=CUSTOMER, how="left")
        .with_columns(
            pl.col(*COUNTS, "devices").fill_null(0), pl.col(MONEYS).fill_null(0).cast(MONEY), last_order_at=last_order
        )
        .with_columns(
            # Decimals divide half-even, without a detour through floats.
            pl.when(orders > 0).then(pl.col("revenue") / orders).cast(MONEY).alias("avg_order_value"),
            (pl.col("date") - pl.col("last_order_at").dt.date()).dt.total_days().alias("days_since_last_order"),
            (pl.col("date") - pl.col("signup_date")).dt.total_days().alias("tenure_days"),
            pl.col("date").dt.strftime("%Y-%m").alias("year_month"),
        )
    )


def _states(given: Inputs, first: date, last: date) -> pl.LazyFrame:
    """Sums and the last order of each customer on each stretch of dates on which they stay the same."""
    one, amount = pl.col("date").is_not_null().cast(pl.Int64), pl.col("amount")
    year, recent = _days_on(TRAILING_DAYS), _days_on(RECENT_DAYS)
    next_month = pl.col("date").dt.month_start().dt.offset_by("1mo")
    again = pl.col("_again")
    lines = _between(given.facts, first, last, TRAILING_DAYS)
    recent_lines, done, alerts = (
        _between(rows, first, last, RECENT_DAYS) for rows in (given.facts, given.events, given.anomalies)
    )
    order = pl.coalesce("invoice_id", "transaction_id").alias("_thing")
    orders = _appearances(lines.select("customer_id", "date", order), first, last)
    sessions = _appearances(done.select("customer_id", "date", pl.col("session_id").alias("_thing")), first, last)
    active = pl.concat([recent_lines.select(CUSTOMER), done.select(CUSTOMER)]).unique()
    parts = [
        *_changes(
            lines,
            [
                Counted("revenue", amount, year),
                Counted("refunds", refunded(amount), year),
                Counted("revenue_90d", amount, _days_on(QUARTER_DAYS)),
                Counted("revenue_30d", amount, recent),
                Counted("revenue_mtd", amount, next_month),
            ],
            first,
            last,
            latest=pl.col("transaction_date").max().alias("last_order_at"),
        ),
        *_changes(
            orders,
            [
                Counted("orders", one, pl.min_horizontal(year, again)),
                Counted("orders_mtd", one, pl.min_horizontal(next_month, again)),
            ],
            first,
            last,
        ),
        *_changes(sessions, [Counted("sessions_30d", one, pl.min_horizontal(recent, again))], first, last),
        *_changes(done, [Counted("events_30d", one, recent)], first, last),
        *_changes(active, [Counted("active_days_30d", one, recent)], first, last),
        *_changes(alerts, [Counted("anomalies_30d", one, recent)], first, last),
    ]
    sums = [*MONEYS, *COUNTS]
    changes = pl.concat(parts, how="diagonal").group_by("customer_id", "_from")
    summed = changes.agg(pl.col(sums).sum(), pl.col("last_order_at").max())
    if first == last:
        return summed.with_columns(pl.lit(last).alias("_until"))
    states = running(summed.sort("customer_id", "_from"), sums, ["customer_id"])
    # Later changes have later orders. What is filled in from another customer is not shown: there are no orders yet.
    return lasting(states.with_columns(pl.col("last_order_at").forward_fill()), last)


def _between(rows: pl.LazyFrame, first: date, last: date, days: int) -> pl.LazyFrame:
    """The rows of known customers that are in the trailing days of any of the dates."""
    inside = pl.col("date").is_between(first - timedelta(days=days - 1), last)
    return rows.filter(inside & pl.col("customer_id").is_not_null())


def _days_on(days: int) -> pl.Expr:
    return pl.col("date") + timedelta(days=days)


def _appearances(rows: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """The dates on which each customer's `_thing` appears, and the date on which it does `_again`, when it counts anew.

    Of the dates up to `first` only the newest matters.
    """
    thing = ["customer_id", "_thing"]
    start = pl.max_horizontal("date", pl.lit(first)).alias("_start")
    seen = rows.filter(pl.col("_thing").is_not_null()).group_by(*thing, start).agg(pl.col("date").max())
    if first == last:
        return seen.with_columns(pl.lit(None, pl.Date).alias("_again"))
    again = pl.col("_start").shift(-1).over(thing, order_by="_start").alias("_again")
    return seen.with_columns(again)


def _changes(
    rows: pl.LazyFrame, counted: Sequence[Counted], first: date, last: date, latest: pl.Expr | None = None
) -> list[pl.LazyFrame]:
    """By how much each customer's sums change, and on which date `_from`; rows from before `first` count from then."""
    start = pl.max_horizontal("date", pl.lit(first)).alias("_from")
    added = [value.filter(gone > first).sum().alias(name) for name, value, gone in counted]
    parts = [rows.group_by("customer_id", start).agg(*added, *([] if latest is None else [latest]))]
    if first < last:
        for name, value, gone in counted:
            leaving = rows.filter((gone > first) & (gone <= last)).group_by("customer_id", gone.alias("_from"))
            parts.append(leaving.agg((-value.sum()).alias(name)))
    return parts


def _devices(assignments: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """How many devices each customer has at the end of each date.

    Where assignments overlap, whoever got the device last has it, as for alerts.
    """
    end = (pl.col("date") + timedelta(days=1)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    held = (pl.col("assigned_from") < end) & (pl.col("assigned_to").is_null() | (pl.col("assigned_to") >= end))
    return (
        assignments.filter(pl.col("date").is_between(first, last) & held)
        .group_by("date", "device_id")
        .agg(pl.col("customer_id").max_by("assigned_from"))
        .group_by(CUSTOMER)
        .agg(pl.col("device_id").n_unique().cast(pl.Int64).alias("devices"))
    )
