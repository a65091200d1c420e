"""Search: which texts answer a question, by its words and by what they mean.

Belongs here: the scores, over arrays and columns of texts. Not here: where texts and vectors come from, and how results
are shown (`cli.search`).

Words decide (BM25); likeness of vectors, by a model that is learnt from few texts, decides what is near to a tie. Both
are counted in standard deviations over all texts, so that they can be added. Every text is scored, by no index.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lakehouse_assets.models.arrays import type_of_floats
from lakehouse_assets.models.embedding import type_of_vectors
from lakehouse_assets.models.terms import TERM, plain

# How soon more of the same word stops counting, and how much longer texts are discounted.
K1 = 1.2
B = 0.75
# What one standard deviation of the vectors' likeness is worth in those of BM25; measured for LSA.
LSA_WEIGHT = 0.3
SNIPPET_CHARACTERS = 160


def search_scores(
    texts: pl.Series,
    lengths: type_of_floats,
    vectors: type_of_vectors,
    terms: Sequence[str],
    vector: type_of_vectors,
    *,
    weight: float = LSA_WEIGHT,
) -> type_of_floats:
    """The score of each text; −∞ for one that has none of the terms and is in no way like the question's vector."""
    words = bm25(term_frequencies(texts, terms), lengths)
    likeness = np.einsum("ij,j->i", vectors, vector).astype(np.float64)
    found = z_scored(words) + weight * z_scored(likeness)
    return np.where((words > 0) | (likeness > 0), found, -np.inf)


def bm25(frequencies: type_of_floats, lengths: type_of_floats) -> type_of_floats:
    """Okapi BM25 of each text (row) for terms (columns), from how often each term stands in it and its length."""
    count = len(frequencies)
    if not count:
        return np.zeros(0)
    having = (frequencies > 0).sum(axis=0)
    rarity = np.log(1 + (count - having + 0.5) / (having + 0.5))
    mean = float(lengths.mean()) or 1.0
    discount = K1 * (1 - B + B * lengths / mean)
    return np.asarray((rarity * frequencies * (K1 + 1) / (frequencies + discount[:, None])).sum(axis=1))


def z_scored(values: type_of_floats) -> type_of_floats:
    """Each value in standard deviations from the mean; all 0 where they are the same."""
    spread = float(values.std()) if len(values) else 0.0
    # Equal values may differ from their mean by the last bit.
    if spread <= 1e-12 * float(np.abs(values).max(initial=0.0)):
        return np.zeros(len(values))
    return np.asarray((values - values.mean()) / spread)


def term_frequencies(texts: pl.Series, terms: Sequence[str]) -> type_of_floats:
    """How often each text (row) has each term (column)."""
    found = np.zeros((len(texts), len(terms)))
    if not len(texts) or not terms:
        return found
    numbers = pl.LazyFrame({"term": list(terms), "number": list(range(len(terms)))})
    counted = (
        pl.LazyFrame({"text": texts})
        .select(pl.int_range(pl.len()).cast(pl.Int64).alias("row"), plain(pl.col("text")).alias("text"))
        # Only a text that has the letters of a term can have the term, and few do.
        .filter(pl.col("text").str.contains_any(list(terms)))
        .select("row", pl.col("text").str.extract_all(TERM).alias("term"))
        .explode("term", empty_as_null=False)
        .join(numbers, on="term")
        .group_by("row", "number")
        .agg(pl.len().alias("count"))
        .collect(engine="streaming")
    )
    found[counted["row"].to_numpy(), counted["number"].to_numpy()] = counted["count"].to_numpy()
    return found


def snippet(text: str, terms: Sequence[str], characters: int = SNIPPET_CHARACTERS) -> str:
    """The stretch of a text around the first of the terms in it, in one line."""
    lower = text.lower()
    first = min((at for term in terms if (at := lower.find(term)) >= 0), default=0)
    start = max(0, min(first - characters // 4, len(text) - characters))
    if start:
        start = text.find(" ", start, first) + 1 or start
    end = min(len(text), start + characters)
    line = " ".join(text[start:end].split())
    return f"{'… ' if start else ''}{line}{' …' if end < len(text) else ''}"
