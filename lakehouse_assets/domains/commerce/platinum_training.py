"""commerce platinum for models: rows to train on, features beside what has been written about each customer.

Belongs here: the contract. Not here: how vectors become one (`training`), features (`gold_ml`), vectors (`platinum`).
"""

from __future__ import annotations

import polars as pl

from lakehouse_assets.domains.commerce.gold_ml import MlCustomerFeatures
from lakehouse_assets.domains.commerce.training import training_rows
from lakehouse_assets.lake.contract import column
from lakehouse_assets.lake.table import table


class CustomerTrainingSet(MlCustomerFeatures):
    """One row per customer: its features and the mean embedding of its documents, both as known by the end of the date.

    Rows of any dates can be trained on together, for none has seen a later one; embeddings only where they are of one
    embedding_model.
    """

    documents: int = column("Documents about the customer that have an embedding", ge=0)
    embedding_model: str = column("Model that the embeddings are of; null without documents", nullable=True)
    embedding: pl.List = column(
        "Mean of the vectors of all chunks of the customer's documents; null without",
        nullable=True,
        dtype_kwargs={"inner": pl.Float32()},
    )


@table(CustomerTrainingSet)
def platinum_customer_training_set(
    gold_ml_customer_features: pl.LazyFrame, platinum_document_embeddings: pl.LazyFrame
) -> pl.LazyFrame:
    """A customer that nobody has written about can be learnt from all the same."""
    return training_rows(gold_ml_customer_features, platinum_document_embeddings)
