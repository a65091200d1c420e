"""The category that each customer buys most of, on each date.

Belongs here: counting lines by category as the catalogue of the date has it. Not here: all other figures of customers
(`customer360`).
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from lakehouse_assets.domains.commerce.states import lasting, running

BY_CATEGORY = ("customer_id", "category")


def favourite_categories(
    facts: pl.LazyFrame, products: pl.LazyFrame, first: date, last: date, days: int
) -> pl.LazyFrame:
    """`favourite_category` of each customer on each stretch of dates `_from` … `_until` on which it stays the same,

    from the transactions of the `days` to the date.
    """
    inside = pl.col("date").is_between(first - timedelta(days=days - 1), last) & pl.col("customer_id").is_not_null()
    span = (pl.col("date").alias("_from"), (pl.col("date") + timedelta(days=days)).alias("_gone"))
    return favourites(facts.filter(inside).select("customer_id", "product_id", "amount", *span), products, first, last)


def favourites(counting: pl.LazyFrame, products: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """`favourite_category` as `favourite_categories` gives it, from lines that each count `_from` until before `_gone`.

    It is the one with most purchase lines (amount not negative), of equals the one with the highest net revenue, then
    the first by name. Lines whose product has no category on the date count for none.
    """
    ranked = pl.col("category").sort_by("lines", "net", "category", descending=[True, True, False])
    best = (
        _states(counting, products, first, last)
        .group_by("customer_id", "_from")
        .agg(pl.when(pl.col("lines").max() > 0).then(ranked.first()).alias("favourite_category"))
    )
    if first == last:
        return best.with_columns(pl.lit(last).alias("_until"))
    return lasting(best.sort("customer_id", "_from"), last)


def _states(counting: pl.LazyFrame, products: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Purchase `lines` and `net` money by customer and category, on each date on which any of the customer's change."""
    amount = pl.col("amount")
    counted = (
        counting.join(_categories(products, first, last), on="product_id", how="inner")
        .with_columns(
            pl.max_horizontal("_from", "_begin").alias("_from"),
            pl.min_horizontal("_gone", pl.col("_end") + timedelta(days=1)).alias("_gone"),
        )
        .filter(pl.col("_gone") > pl.col("_from"))
    )
    sums = ((amount >= 0).sum().cast(pl.Int64).alias("lines"), amount.sum().alias("net"))
    if first == last:
        return counted.group_by(*BY_CATEGORY, "_from").agg(sums)
    added = counted.group_by(*BY_CATEGORY, "_from").agg(sums)
    leaving = counted.filter(pl.col("_gone") <= last).group_by(*BY_CATEGORY, pl.col("_gone").alias("_from"))
    removed = leaving.agg(-expression for expression in sums)
    changes = pl.concat([added, removed]).group_by(*BY_CATEGORY, "_from").agg(pl.col("lines", "net").sum())
    # Every category of a customer on every date on which one of them changes.
    moments = changes.select("customer_id", "_from").unique()
    each = (
        moments.join(changes.select(BY_CATEGORY).unique(), on="customer_id", how="inner")
        .join(changes, on=[*BY_CATEGORY, "_from"], how="left")
        .with_columns(pl.col("lines", "net").fill_null(0))
        .sort(*BY_CATEGORY, "_from")
    )
    return running(each, ["lines", "net"], BY_CATEGORY)


def _categories(products: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """The category of each product on the dates `_begin` … `_end`.

    Nearly every product keeps one for a stretch of dates; one that leaves it and comes back has a row for each date.
    """
    dates = pl.col("date")
    known = products.filter(dates.is_between(first, last) & pl.col("category").is_not_null())
    spans = known.group_by("product_id", "category").agg(
        dates.min().alias("_begin"), dates.max().alias("_end"), dates.alias("_dates")
    )
    unbroken = (pl.col("_end") - pl.col("_begin")).dt.total_days() + 1 == pl.col("_dates").list.len()
    each = spans.filter(~unbroken).select("product_id", "category", pl.col("_dates").alias("_begin"))
    each = each.explode("_begin", empty_as_null=False).with_columns(pl.col("_begin").alias("_end"))
    return pl.concat([spans.filter(unbroken).drop("_dates"), each])
