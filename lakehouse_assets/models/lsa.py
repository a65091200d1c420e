"""Latent semantic analysis: vectors from the terms that occur together in a tenant's own texts.

Belongs here: TF-IDF, the fit, the artefact. Not here: what a term is (`terms`), and the linear algebra
(`decomposition`).

Nothing is downloaded, and the same texts give the same model and the same vectors, to the bit. A text's vector does not
depend on the texts beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from lakehouse_assets.models.arrays import type_of_floats
from lakehouse_assets.models.decomposition import truncated_svd
from lakehouse_assets.models.embedding import type_of_vectors, unit
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.terms import term_counts

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

DIMENSION = 256
# Terms that stand in the most texts are kept, and a sample of the texts is enough: model and fit stay small.
MOST_TERMS = 10_000
MOST_TEXTS = 20_000
BATCH = 4096
FORMAT = "lsa-1"
LENGTH_BYTES = 8


@dataclass(frozen=True, eq=False)
class LsaEmbedder:
    """A model that was fitted: its terms, how much each weighs, and the directions that they span."""

    terms: tuple[str, ...]
    weights: type_of_floats
    components: type_of_vectors  # terms × directions
    dimension: int = DIMENSION

    @cached_property
    def model(self) -> str:
        """The method, its dimension, and the digest of the artefact."""
        return f"lsa-{self.dimension}@{hashlib.sha256(self.to_bytes()).hexdigest()[:12]}"

    @cached_property
    def _wide(self) -> type_of_floats:
        return self.components.astype(np.float64)

    def embed(self, texts: Sequence[str]) -> type_of_vectors:
        """One row per text; of zeros where no term of the text is known."""
        found = np.zeros((len(texts), self.dimension), np.float32)
        for first in range(0, len(texts), BATCH):
            part = list(texts[first : first + BATCH])
            weighed = tf_idf(term_counts(part), len(part), self.terms, self.weights)
            found[first : first + len(part), : self.components.shape[1]] = unit(weighed @ self._wide)
        return found

    def to_bytes(self) -> bytes:
        """The artefact: the length of a JSON header, the header, and the numbers, all little-endian."""
        header = {"format": FORMAT, "dimension": self.dimension, "rank": self.components.shape[1], "terms": self.terms}
        text = json.dumps(header, ensure_ascii=False).encode()
        numbers = self.weights.astype("<f8").tobytes() + self.components.astype("<f4").tobytes()
        return len(text).to_bytes(LENGTH_BYTES, "little") + text + numbers

    @classmethod
    def from_bytes(cls, artefact: bytes) -> LsaEmbedder:
        """Read what `to_bytes` wrote. Raises ModelError for anything else."""
        try:
            end = LENGTH_BYTES + int.from_bytes(artefact[:LENGTH_BYTES], "little")
            header: dict[str, Any] = json.loads(artefact[LENGTH_BYTES:end])
            terms, rank = tuple(header["terms"]), int(header["rank"])
            weights = np.frombuffer(artefact, "<f8", len(terms), end).astype(np.float64)
            components = np.frombuffer(artefact, "<f4", len(terms) * rank, end + 8 * len(terms)).astype(np.float32)
            found = cls(terms, weights, components.reshape(len(terms), rank), int(header["dimension"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"artefact of {len(artefact)} bytes is no {FORMAT} model: fit it again") from error
        if header["format"] != FORMAT or found.to_bytes() != artefact:
            raise ModelError(f"artefact of {len(artefact)} bytes is no {FORMAT} model: fit it again")
        return found


class Fit(NamedTuple):
    """A model, and the share of the squared weight of the texts' terms that its directions hold."""

    embedder: LsaEmbedder
    explained_share: float


def fit_lsa(texts: Sequence[str], dimension: int = DIMENSION) -> Fit:
    """Learn a model from texts; what it is does not depend on their order."""
    chosen = sorted(texts, key=lambda text: (hashlib.sha256(text.encode()).digest(), text))[:MOST_TEXTS]
    counts = term_counts(chosen)
    frequencies = counts.group_by("term").agg(pl.len().alias("texts")).sort(["texts", "term"], descending=[True, False])
    kept = frequencies.head(MOST_TERMS).sort("term")
    terms = tuple(kept["term"])
    weights = np.log((1 + len(chosen)) / (1 + kept["texts"].to_numpy())) + 1.0
    if not terms:
        return Fit(LsaEmbedder((), weights, np.zeros((0, 0), np.float32), dimension), 0.0)
    matrix = tf_idf(counts, len(chosen), terms, weights)
    found = truncated_svd(matrix, dimension)
    total = float(np.einsum("i,i->", matrix.data, matrix.data))
    share = float(np.einsum("i,i->", found.values, found.values)) / total if total else 0.0
    return Fit(LsaEmbedder(terms, weights, found.vectors.astype(np.float32), dimension), min(share, 1.0))


def tf_idf(counts: pl.DataFrame, rows: int, terms: Sequence[str], weights: type_of_floats) -> csr_matrix:
    """Rows of length 1: how often each term occurs, times its weight. Terms that are not in `terms` count for nothing,
    and a text without any is a row of zeros.
    """
    from scipy.sparse import csr_matrix

    numbers = pl.DataFrame({"term": terms, "number": range(len(terms))}, schema={"term": pl.String, "number": pl.Int64})
    known = counts.join(numbers, on="term").sort("row", "number")
    row, column = known["row"].to_numpy(), known["number"].to_numpy()
    values = known["count"].to_numpy().astype(np.float64) * weights[column]
    lengths = np.sqrt(np.bincount(row, values * values, minlength=rows))
    values = values / lengths[row]
    starts = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=rows))))
    return csr_matrix((values, column, starts), shape=(rows, len(terms)))
