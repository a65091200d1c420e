"""A truncated singular value decomposition that is the same to the bit on one thread and on many.

Belongs here: scikit-learn's, held to one thread: many share out the sums, and so decide their order. Not here: what is
decomposed (`lsa`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lakehouse_assets.models.arrays import type_of_floats

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

SEED = 0
ROUNDS = 5
TINY = 1e-9


class Decomposition(NamedTuple):
    """The right singular vectors as columns, and their values, largest first."""

    vectors: type_of_floats
    values: type_of_floats


def truncated_svd(matrix: csr_matrix, rank: int) -> Decomposition:
    """The first `rank` of a sparse matrix, fewer where it has fewer."""
    # What TruncatedSVD wraps, without its ratios of variance, which a text alone has none of.
    from sklearn.utils.extmath import randomized_svd  # type: ignore[import-untyped]
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1, "blas"):
        _, values, rows = randomized_svd(matrix, min(rank, *matrix.shape), n_iter=ROUNDS, random_state=SEED)
    kept = int(np.count_nonzero(values > TINY * values.max(initial=0.0)))
    return Decomposition(np.ascontiguousarray(rows[:kept].T), values[:kept])
