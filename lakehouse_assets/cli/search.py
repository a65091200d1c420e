"""`lakehouse search`: what a tenant's documents say about a question."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from lakehouse_assets.cli.show import grid_of, rows, say, say_json
from lakehouse_assets.house import open_house
from lakehouse_assets.lake.errors import LakeError
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import entries
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.models.loading import load_embedder
from lakehouse_assets.models.search import search_scores, snippet
from lakehouse_assets.models.terms import terms_of

DOCUMENTS = TableName("commerce", "silver", "documents")
CHUNKS = TableName("commerce", "platinum", "document_chunks")
MODELS = TableName("commerce", "platinum", "embedding_model")
EMBEDDINGS = TableName("commerce", "platinum", "document_embeddings")
CHUNK = ["document_id", "chunk_index", "text_sha256"]
SHOWN = ["document_id", "title", "chunk_index", "customer_id", "score", "snippet"]


class SearchError(LakeError):
    """A question that cannot be answered, and what to do about it."""


def search(question: str, tenant: str, *, as_of: date | None, limit: int, as_json: bool) -> None:
    """Show the chunks of the tenant's documents that answer best, on the newest date built, or as of a date."""
    house = open_house()
    day = newest_built(house, tenant, as_of)
    found = answer(house, question, tenant, day).head(limit)
    if as_json:
        say_json({"tenant_id": tenant, "date": day, "question": question, "results": rows(found)})
    elif found.is_empty():
        say(f"Nothing in {tenant}'s documents as of {day} has any of these words or is like them.")
    else:
        title = f"Documents of {tenant} as of {day}"
        say(
            grid_of(title, found.rename({"document_id": "document", "chunk_index": "chunk", "customer_id": "customer"}))
        )


def newest_built(house: Lakehouse, tenant: str, as_of: date | None) -> date:
    """The newest date on or before `as_of` of which the tenant's embeddings are built. Raises SearchError for none."""
    held = entries(house.ledger.read(tenants=[tenant], tables=[EMBEDDINGS])).get((EMBEDDINGS, tenant), {})
    days = [day for day, entry in held.items() if not entry.is_dropped and (as_of is None or day <= as_of)]
    if not days:
        until = f" on or before {as_of}" if as_of else ""
        raise SearchError(
            f"no documents of tenant {tenant!r} are embedded{until}: "
            f"`lakehouse backfill --select {EMBEDDINGS.path} --tenant {tenant}` builds them"
        )
    return max(days)


def answer(house: Lakehouse, question: str, tenant: str, day: date) -> pl.DataFrame:
    """All chunks of the date that have anything of the question, best first; equal ones by document and chunk."""
    terms = terms_of(question)
    if not terms:
        raise SearchError(f"{question!r} holds no word: ask with at least one letter or digit")

    def read(name: TableName, columns: list[str]) -> pl.LazyFrame:
        return house.lake.scan(name, house.table(name).schema, tenants=[tenant], dates=[day]).select(columns)

    titles = read(DOCUMENTS, ["document_id", "title"])
    # A chunk that was cut anew since it was embedded waits for its vector.
    chunks = (
        read(CHUNKS, [*CHUNK, "customer_id", "text", "token_count"])
        .join(read(EMBEDDINGS, [*CHUNK, "model", "embedding"]), on=CHUNK)
        .join(titles, on="document_id", how="left")
        .sort("document_id", "chunk_index")
        .collect(engine="streaming")
    )
    if chunks.is_empty():
        return pl.DataFrame(schema=[*SHOWN])
    artefacts = dict(read(MODELS, ["model", "artefact"]).collect().iter_rows())
    if missing := sorted(set(chunks["model"]) - set(artefacts)):
        raise SearchError(
            f"the model {missing[0]} of {tenant}'s embeddings as of {day} is not there: "
            f"`lakehouse backfill --select {EMBEDDINGS.path} --tenant {tenant}` builds both"
        )
    embedder = load_embedder(artefacts[chunks["model"][0]])
    vectors = chunks["embedding"].explode().to_numpy().reshape(chunks.height, embedder.dimension)
    lengths = chunks["token_count"].to_numpy().astype(np.float64)
    scores = search_scores(chunks["text"], lengths, vectors, terms, embedder.embed([question])[0])
    best = chunks.with_columns(pl.Series("score", scores)).filter(pl.col("score").is_finite())
    best = best.sort("score", descending=True, maintain_order=True)
    shown = pl.col("text").map_elements(lambda text: snippet(text, terms), return_dtype=pl.String)
    return best.lazy().with_columns(shown.alias("snippet")).select(SHOWN).collect()
