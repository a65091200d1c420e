"""commerce platinum: documents in pieces that can be found by what they mean.

Belongs here: the contracts of chunks, of the model that embeds them, and of their embeddings. Not here: where a text is
cut (`chunking`), and which model and which vectors a date has (`embedding`).
"""

from __future__ import annotations

import polars as pl

from lakehouse_assets.domains.commerce.chunking import chunk_rows
from lakehouse_assets.domains.commerce.embedding import EMBEDDER, embedded, fit_of, fitted_models
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.partitions import Window, since_month_end
from lakehouse_assets.lake.table import table


class DocumentChunks(Contract):
    """One row per chunk of a document, as the document is on the date."""

    document_id: str = column("Document", key=True)
    chunk_index: int = column("Chunk in the document, from 0", key=True, ge=0)
    customer_id: str = column("Customer that the document is about", nullable=True)
    text: str = column("The document's text from char_start to char_end")
    token_count: int = column("Words and marks in it", unit="tokens", ge=1)
    char_start: int = column("First character in the document's text, from 0", ge=0)
    char_end: int = column("Character behind its last one", ge=1)
    text_sha256: str = column("SHA-256 of the text in UTF-8")


@table(DocumentChunks, carries_forward=True, sparse=True)
def platinum_document_chunks(silver_documents: pl.LazyFrame) -> pl.LazyFrame:
    """Neighbours overlap, so that what stands where one is cut is whole in the other."""
    return chunk_rows(silver_documents)


class EmbeddingModel(Contract):
    """One row: the model that embeds the tenant's chunks on the date; none where there have never been chunks.

    It is learnt from the chunks at the end of the month before, or where there were none then, from those of the first
    date that has any: vectors stay while a month lasts.
    """

    model: str = column(
        "Name of the model: method and dimension, or folder, and digest; or as the server has it", key=True
    )
    dimension: int = column("Length of its vectors", ge=1)
    rank: int = column(
        "Directions that the texts span, the vectors being zero beyond them; null for a model from elsewhere",
        nullable=True,
        ge=0,
    )
    terms: int = column("Terms that it knows; null for a model from elsewhere", nullable=True, ge=0)
    documents: int = column("Documents that it was fitted on", ge=1)
    chunks: int = column("Chunks that it was fitted on", ge=1)
    explained_share: float = column(
        "Share of the squared weight of the terms that its directions hold; null for a model from elsewhere",
        nullable=True,
        in_range={"min_value": 0, "max_value": 1},
    )
    corpus_sha256: str = column("Digest of the texts that it was fitted on")
    artefact: pl.Binary = column("The model: JSON header and plain numbers, or the folder or server that has it")


@table(EmbeddingModel, windows={"platinum_document_chunks": since_month_end()}, sparse=True)
def platinum_embedding_model(
    platinum_document_chunks: pl.LazyFrame, window: Window, earlier: pl.LazyFrame
) -> pl.LazyFrame:
    """What a tenant's own texts say together needs no model from elsewhere, and none that changes by the day."""
    return fitted_models(platinum_document_chunks, earlier, window, fit_of(EMBEDDER))


class DocumentEmbeddings(Contract):
    """One row per chunk of a document: its vector by the model of the date."""

    document_id: str = column("Document", key=True)
    chunk_index: int = column("Chunk in the document, from 0", key=True, ge=0)
    customer_id: str = column("Customer that the document is about", nullable=True)
    model: str = column("Model that the vector is of: vectors of two models cannot be compared")
    dimension: int = column("Length of the vector", ge=1)
    embedding: pl.List = column(
        "The vector, of length 1; of zeros where the model knows no term", dtype_kwargs={"inner": pl.Float32()}
    )
    text_sha256: str = column("SHA-256 of the chunk's text, by which a vector is known again")


@table(DocumentEmbeddings, carries_forward=True, sparse=True)
def platinum_document_embeddings(
    platinum_document_chunks: pl.LazyFrame,
    platinum_embedding_model: pl.LazyFrame,
    window: Window,
    earlier: pl.LazyFrame,
) -> pl.LazyFrame:
    """Only what is new is embedded: the same text by the same model has the same vector."""
    return embedded(platinum_document_chunks, platinum_embedding_model, earlier, window)
