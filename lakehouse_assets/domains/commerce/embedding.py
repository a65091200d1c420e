"""Embeddings of documents' chunks: which model a date has, and which vectors it can take over.

Belongs here: pure functions of chunks, models and what is known from before. Not here: the contracts (`platinum`), and
how a text becomes a vector (`lakehouse_assets.models`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl

from lakehouse_assets.lake.partitions import Window
from lakehouse_assets.models.embedding import Embedder
from lakehouse_assets.models.loading import load_embedder
from lakehouse_assets.models.lsa import LsaEmbedder, fit_lsa

type_of_fit = Callable[[list[str]], tuple[Embedder, float | None]]

# Who embeds: None for a model of each tenant's own texts, FolderEmbedder(folder) for a published one that lies on every
# machine, or HttpEmbedder(url, model, dimension) for a server. Texts of all tenants go to it then.
EMBEDDER: Embedder | None = None
MODEL = {
    "date": pl.Date(),
    "model": pl.String(),
    "dimension": pl.Int64(),
    "rank": pl.Int64(),
    "terms": pl.Int64(),
    "documents": pl.Int64(),
    "chunks": pl.Int64(),
    "explained_share": pl.Float64(),
    "corpus_sha256": pl.String(),
    "artefact": pl.Binary(),
}
VECTOR = ["model", "text_sha256"]


def fitted_models(
    chunks: pl.LazyFrame, earlier: pl.LazyFrame, window: Window, fit: type_of_fit = fit_lsa
) -> pl.LazyFrame:
    """The model of each date that has one: fitted on the chunks of the first date, from the end of the month before on,
    that has any. A corpus that `earlier`, or another date of the window, was fitted on is not fitted again.
    """
    present = set(chunks.select(pl.col("date").unique()).collect(engine="streaming")["date"])
    fitted_on = {
        day: min((on for on in present if _month_end_before(day) <= on <= day), default=None) for day in window.dates()
    }
    columns = ["date", "document_id", "text_sha256"]
    corpora = chunks.filter(pl.col("date").is_in({on for on in fitted_on.values() if on})).select(columns).sort(columns)
    by_date = {
        day: frame for (day,), frame in corpora.collect(engine="streaming").partition_by("date", as_dict=True).items()
    }
    known = {row["corpus_sha256"]: row for row in earlier.select(list(MODEL)).collect().to_dicts()}
    found = []
    for day, on in fitted_on.items():
        if on is None:
            continue
        corpus = by_date[on]
        digest = hashlib.sha256("".join(corpus["text_sha256"].sort()).encode()).hexdigest()
        if digest not in known:
            texts = chunks.filter(pl.col("date") == on).select("text").collect(engine="streaming")
            known[digest] = _fitted(texts["text"].to_list(), digest, fit)
        # A text may stand in other documents than before, and make the same model.
        counts = {"documents": corpus["document_id"].n_unique(), "chunks": corpus.height}
        found.append(known[digest] | counts | {"date": day})
    return pl.LazyFrame(found, schema=MODEL)


def fit_of(embedder: Embedder | None) -> type_of_fit:
    """How a model comes about: one that is named needs no texts."""
    return fit_lsa if embedder is None else lambda _texts: (embedder, None)


def embedded(
    chunks: pl.LazyFrame,
    models: pl.LazyFrame,
    earlier: pl.LazyFrame,
    window: Window,
    load: Callable[[bytes], Embedder] = load_embedder,
) -> pl.LazyFrame:
    """Every chunk with its vector by the date's model; vectors of the same model and text are taken from `earlier`.

    Each text is embedded once, on however many dates and in however many documents it stands.
    """
    inside = pl.col("date").is_between(window.first, window.last)
    wanted = (
        chunks.filter(inside)
        .select("date", "document_id", "chunk_index", "customer_id", "text_sha256")
        .join(models.filter(inside).select("date", "model", "dimension"), on="date", how="left")
        .sort("date", "document_id", "chunk_index")
        .collect(engine="streaming")
    )
    vectors_wanted = wanted.drop_nulls("model").unique(VECTOR).select(VECTOR)
    known = earlier.select(*VECTOR, "embedding").unique(VECTOR).collect().join(vectors_wanted, on=VECTOR, how="semi")
    new = vectors_wanted.join(known, on=VECTOR, how="anti")
    texts = chunks.filter(inside).join(new.lazy(), on="text_sha256", how="semi").select("text_sha256", "text").unique()
    new = new.join(texts.collect(engine="streaming"), on="text_sha256").sort(VECTOR)
    parts = [known]
    for (name,), part in new.partition_by("model", as_dict=True, maintain_order=True).items():
        artefact = models.filter(pl.col("model") == name).select("artefact").first().collect().item()
        vectors = load(artefact).embed(part["text"].to_list())
        column = pl.Series("embedding", vectors).cast(pl.List(pl.Float32))
        parts.append(part.select(VECTOR).with_columns(column))
    return wanted.lazy().join(pl.concat(parts).lazy(), on=VECTOR, how="left", maintain_order="left")


def _month_end_before(day: date) -> date:
    return day.replace(day=1) - timedelta(days=1)


def _fitted(texts: list[str], digest: str, fit: type_of_fit) -> dict[str, Any]:
    embedder, share = fit(texts)
    return {
        "model": embedder.model,
        "dimension": embedder.dimension,
        "rank": embedder.components.shape[1] if isinstance(embedder, LsaEmbedder) else None,
        "terms": len(embedder.terms) if isinstance(embedder, LsaEmbedder) else None,
        "explained_share": share,
        "corpus_sha256": digest,
        "artefact": embedder.to_bytes(),
    }
