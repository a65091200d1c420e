"""commerce silver: documents about customers, as they were written.

Belongs here: what a document is once it can be trusted. Not here: chunks and embeddings of them (`platinum`).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from lakehouse_assets.domains.commerce.sources import DOCUMENTS
from lakehouse_assets.lake.contract import Contract, column, flag
from lakehouse_assets.lake.table import Reference, table
from lakehouse_assets.lake.values import code, text, timestamp


class Documents(Contract):
    """One row per document: its newest valid version as of the date."""

    document_id: str = column("Document", key=True)
    customer_id: str = column("Customer that it is about", nullable=True)
    title: str = column("Title", nullable=True)
    kind: str = column("What it is, as a code", nullable=True)
    created_at: Annotated[pl.Datetime, "us", "UTC"] = column("When it was written", nullable=True)
    text: str = column("The text as it landed, each line end one line feed")
    char_count: int = column("Length of the text", unit="characters", ge=0)
    language: str = column("Language of the text; nothing tells it yet, so null", nullable=True)

    @flag
    def empty_text(cls) -> pl.Expr:
        """There is nothing but white space in the text."""
        return pl.col("text").str.contains(r"\S")


@table(Documents, source=DOCUMENTS, references={"orphan_customer": Reference("customer_id", "silver_customers")})
def silver_documents(bronze_documents: pl.LazyFrame) -> pl.LazyFrame:
    """What people wrote is not tidied: a position in the text is a position in the file that they know."""
    return bronze_documents.with_columns(
        text("document_id"),
        text("customer_id"),
        text("title"),
        code("kind"),
        timestamp("created_at"),
        pl.col("text").str.replace_all("\r\n?", "\n"),
        pl.lit(None, pl.String).alias("language"),
    ).with_columns(pl.col("text").str.len_chars().cast(pl.Int64).alias("char_count"))
