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
from lakehouse_assets.models.terms import LETTER, SIGN, plain

# How soon more of the same word stops counting, and how much longer texts are discounted.
K1 = 1.2
B = 0.75
# What one standard deviation of the vectors' likeness is worth in those of BM25; measured for LSA.
LSA_WEIGHT = 0.3
# Texts that have nothing to do with a question are as like it as rounding makes them.
LEAST_LIKENESS = 1e-6
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
    return np.where((words > 0) | (likeness > LEAST_LIKENESS), found, -np.inf)


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
    """How often each text (row) has each term (column); terms as `terms_of` gives them."""
    if not len(texts) or not terms:
        return np.zeros((len(texts), len(terms)))
    signs = pl.Series(terms).str.contains(SIGN)
    counts = [
        (_signs if is_sign else _words)(pl.col("text"), term).cast(pl.Float64).alias(str(number))
        for number, (term, is_sign) in enumerate(zip(terms, signs, strict=True))
    ]
    lower = pl.LazyFrame({"text": texts}).select(plain(pl.col("text")))
    # Laid out by rows, as the sums of the scores go: in another order, they would end in other bits.
    return np.ascontiguousarray(lower.select(counts).collect(engine="streaming").to_numpy())


def _signs(text: pl.Expr, sign: str) -> pl.Expr:
    """How often a plain text has the sign, which is a term wherever it stands."""
    return text.str.count_matches(sign, literal=True)


def _words(text: pl.Expr, word: str) -> pl.Expr:
    """How often a plain text has the word, found without cutting the text into all of its words.

    They are the words that begin with it, less those that go on after it. Matches of either begin before a word and end
    in it, so that none hides the next.
    """
    begun = rf"(?:^|[^\p{{L}}\p{{M}}\p{{N}}]|{SIGN}){word}"
    return text.str.count_matches(begun).cast(pl.Int64) - text.str.count_matches(begun + LETTER)


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
