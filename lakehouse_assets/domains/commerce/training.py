"""What models of customers are trained on: features beside the mean of what has been written about each customer.

Belongs here: pure functions of features and embeddings. Not here: contracts (`platinum_training`), features
(`ml_features`), embeddings (`platinum`).
"""

from __future__ import annotations

import polars as pl

from lakehouse_assets.domains.commerce.customers import CUSTOMER

# Numbers are added as multiples of 2⁻⁴⁰, a ten thousandth of what a Float32 of size 1 can tell apart: whole numbers
# have the same sum in any order, so that equal documents have equal means.
FINEST = 2.0**40


def training_rows(features: pl.LazyFrame, embeddings: pl.LazyFrame) -> pl.LazyFrame:
    """Each row of features with the mean embedding of the customer's documents on that date; null without documents."""
    found = features.join(mean_embeddings(embeddings), on=CUSTOMER, how="left")
    return found.with_columns(pl.col("documents").fill_null(0)).sort(CUSTOMER)


def mean_embeddings(embeddings: pl.LazyFrame) -> pl.LazyFrame:
    """One row per date and customer with documents: how many, and the mean of all their chunks' vectors.

    Every chunk counts alike, a long document more than a short one. The mean is not brought to length 1: its length
    tells how much the documents agree.
    """
    chunks = embeddings.filter(pl.col("customer_id").is_not_null() & pl.col("embedding").is_not_null())
    by = [*CUSTOMER, "model"]
    counts = chunks.group_by(by).agg(pl.col("document_id").n_unique().cast(pl.Int64).alias("documents"))
    value = (pl.col("embedding").cast(pl.Float64) * FINEST).round().cast(pl.Int128)
    means = (
        chunks.select(*by, "embedding", pl.int_ranges(pl.col("embedding").list.len()).alias("position"))
        .explode("embedding", "position", empty_as_null=False)
        .group_by(*by, "position")
        .agg((value.sum().cast(pl.Float64) / FINEST / pl.len()).cast(pl.Float32).alias("embedding"))
        .group_by(by)
        .agg(pl.col("embedding").sort_by("position"))
    )
    return counts.join(means, on=by).rename({"model": "embedding_model"})
