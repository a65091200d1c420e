"""Mean embeddings: by hand, by date, and to the bit in whatever order chunks come."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest

from lakehouse_assets.domains.commerce.training import mean_embeddings, training_rows

D = date(2026, 1, 5)
DAY = timedelta(days=1)
SCHEMA = pl.Schema(
    {
        "date": pl.Date(),
        "document_id": pl.String(),
        "chunk_index": pl.Int64(),
        "customer_id": pl.String(),
        "model": pl.String(),
        "dimension": pl.Int64(),
        "embedding": pl.List(pl.Float32()),
    }
)
type_of_row = dict[str, Any]


def chunk(document: str, index: int, vector: list[float], customer: str | None = "C1", day: date = D) -> type_of_row:
    place = {"date": day, "document_id": document, "chunk_index": index, "customer_id": customer}
    return place | {"model": f"lsa of {day}", "dimension": len(vector), "embedding": vector}


def rows(features: list[tuple[date, str]], chunks: list[type_of_row]) -> list[type_of_row]:
    given = pl.LazyFrame(features, {"date": pl.Date, "customer_id": pl.String}, orient="row")
    return training_rows(given, pl.LazyFrame(chunks, SCHEMA)).collect(engine="streaming").to_dicts()


def test_every_chunk_of_a_customer_counts_alike() -> None:
    chunks = [chunk("A", 0, [1, 0]), chunk("A", 1, [0, 1]), chunk("B", 0, [1, 0]), chunk("C", 0, [0.5, 0.5], "C2")]
    first, second, third = rows([(D, "C1"), (D, "C2"), (D, "C3")], [*chunks, chunk("E", 0, [9, 9], None)])
    assert first["embedding"] == pytest.approx([2 / 3, 1 / 3])
    assert (first["documents"], first["embedding_model"]) == (2, f"lsa of {D}")
    assert (second["documents"], second["embedding"]) == (1, [0.5, 0.5])
    assert (third["documents"], third["embedding"], third["embedding_model"]) == (0, None, None)


def test_a_date_has_its_own_documents() -> None:
    chunks = [chunk("A", 0, [1, 0]), chunk("A", 0, [0, 1, 0], day=D + DAY)]
    today, tomorrow = rows([(D, "C1"), (D + DAY, "C1")], chunks)
    assert (today["embedding"], tomorrow["embedding"]) == ([1, 0], [0, 1, 0])


def test_means_are_the_same_to_the_bit_in_any_order() -> None:
    random = Random(4)
    vectors = np.random.default_rng(4).normal(size=(400, 16)).astype(np.float32)
    chunks = [chunk(f"D{n // 7}", n % 7, vector.tolist()) for n, vector in enumerate(vectors)]
    found = set()
    for _ in range(5):
        random.shuffle(chunks)
        (mean,) = mean_embeddings(pl.LazyFrame(chunks, SCHEMA)).collect(engine="streaming")["embedding"].to_list()
        found.add(tuple(mean))
    assert len(found) == 1
    assert np.allclose(found.pop(), vectors.astype(np.float64).mean(axis=0), atol=1e-7)
