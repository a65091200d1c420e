"""A truncated singular value decomposition that is the same to the bit on one thread and on many.

Belongs here: linear algebra without BLAS, whose threads share out sums and so decide their order. Not here: what is
decomposed (`lsa`).

Products of sparse matrices are SciPy's own loops, those of dense ones are `einsum` without its optimizer: both run in
one thread, in one order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lakehouse_assets.models.arrays import type_of_codes, type_of_floats

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

# More directions than are asked for, and rounds of refinement: what the last of them lack in precision.
OVERSAMPLING = 10
ROUNDS = 4
SEED = 0
TINY = 1e-12
MOST_SWEEPS = 30


class Decomposition(NamedTuple):
    """The right singular vectors as columns, and their values, largest first."""

    vectors: type_of_floats
    values: type_of_floats


def truncated_svd(matrix: csr_matrix, rank: int) -> Decomposition:
    """The first `rank` of a sparse matrix, fewer where it has fewer; the largest part of each vector is positive."""
    rows, columns = matrix.shape
    width = min(rank + OVERSAMPLING, rows, columns)
    transposed = matrix.T.tocsr()
    # The old generator: its stream is promised never to change.
    basis = np.random.RandomState(SEED).standard_normal((columns, width))
    for _ in range(1 + ROUNDS):
        basis = orthonormal(transposed @ (matrix @ basis))
    image = matrix @ basis
    squares, directions = symmetric_eigen(np.einsum("ij,ik->jk", image, image))
    kept = min(rank, int(np.count_nonzero(squares > TINY * max(float(squares.max(initial=0.0)), TINY))))
    vectors = np.einsum("ij,jk->ik", basis, directions[:, :kept])
    largest = np.abs(vectors).argmax(axis=0) if kept else np.empty(0, int)
    signs = np.sign(vectors[largest, np.arange(kept)])
    return Decomposition(vectors * signs, np.sqrt(squares[:kept]))


def orthonormal(columns: type_of_floats) -> type_of_floats:
    """An orthonormal basis of what the columns span: each less its share in those before, twice."""
    rows = np.ascontiguousarray(columns.T)
    kept = 0
    for row in rows.copy():
        length = np.sqrt(np.einsum("i,i->", row, row))
        rest = row
        for _ in range(2):
            shares = np.einsum("ij,j->i", rows[:kept], rest)
            rest = rest - np.einsum("i,ij->j", shares, rows[:kept])
        left = np.sqrt(np.einsum("i,i->", rest, rest))
        if left > TINY * length:
            rows[kept] = rest / left
            kept += 1
    return np.ascontiguousarray(rows[:kept].T)


def symmetric_eigen(matrix: type_of_floats) -> tuple[type_of_floats, type_of_floats]:
    """Eigenvalues of a symmetric matrix, largest first, and the eigenvectors as columns.

    Jacobi's rotations, as many at once as touch different rows.
    """
    size = len(matrix)
    even = size + size % 2
    work = np.zeros((even, even))
    work[:size, :size] = matrix
    turned = np.eye(even)  # the eigenvectors as rows
    goal = TINY * np.sqrt((work * work).sum()) / max(even, 1)
    order = np.arange(even)
    for _ in range(MOST_SWEEPS):
        if np.abs(work - np.diag(np.diag(work))).max(initial=0.0) <= goal:
            break
        for _ in range(even - 1):
            _rotate(work, turned, order[: even // 2], order[even // 2 :][::-1])
            order = np.concatenate((order[:1], order[-1:], order[1:-1]))
    values = np.diag(work)[:size] if size == even else np.diag(work)
    ranked = np.argsort(-values, kind="stable")[:size]
    return np.maximum(values[ranked], 0.0), np.ascontiguousarray(turned[ranked, :size].T)


def _rotate(work: type_of_floats, turned: type_of_floats, first: type_of_codes, second: type_of_codes) -> None:
    """Make the entries at (first, second) zero."""
    off = work[first, second]
    apart = work[second, second] - work[first, first]
    angle = np.where(off == 0, 0.0, np.arctan2(2 * off, apart) / 2)
    # The smaller of the two rotations that do it, so that the sweeps converge.
    angle -= np.where(np.abs(angle) > np.pi / 4, np.copysign(np.pi / 2, angle), 0.0)
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    for target in (work, turned):
        upper, lower = target[first], target[second]
        target[first] = cosine * upper - sine * lower
        target[second] = sine * upper + cosine * lower
    left, right = work[:, first], work[:, second]
    work[:, first] = cosine.T * left - sine.T * right
    work[:, second] = sine.T * left + cosine.T * right
