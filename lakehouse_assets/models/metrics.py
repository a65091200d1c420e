"""How good probabilities are: log loss with its standard error, Brier skill, calibration error.

Belongs here: figures over arrays of probabilities and outcomes. Not here: which rows they are computed on (`ladder`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lakehouse_assets.models.arrays import SMALLEST, type_of_codes, type_of_floats


class Estimate(NamedTuple):
    """A mean and its standard error (infinite when there are too few groups to tell)."""

    mean: float
    error: float


class Metrics(NamedTuple):
    """What a model's probabilities are worth on rows that it has not seen, always beside the base rate's.

    `gain` is the log loss of the rung below minus this one's. `brier_skill` is 1 − Brier ÷ the base rate's Brier.
    None where there is nothing to divide by, or no rung below.
    """

    rows: int
    positives: int
    log_loss: float
    log_loss_error: float | None
    base_rate_log_loss: float
    gain: float | None
    gain_error: float | None
    brier_skill: float | None
    ece: float


def log_losses(probability: type_of_floats, outcome: type_of_floats) -> type_of_floats:
    """The log loss of each row, in nats."""
    inside = np.clip(probability, SMALLEST, 1 - SMALLEST)
    return np.asarray(-np.where(outcome > 0, np.log(inside), np.log1p(-inside)), dtype=np.float64)


def mean_with_error(values: type_of_floats, groups: type_of_codes) -> Estimate:
    """The mean, with its standard error over groups whose rows depend on each other.

    The error is √(G ÷ (G − 1) · Σ(sum of a group's deviations)²) ÷ n, the usual one where every row is its own group.
    """
    _, position = np.unique(groups, return_inverse=True)
    count = int(position.max()) + 1
    mean = float(values.mean())
    if count == 1:
        return Estimate(mean, float("inf"))
    deviations = np.bincount(position, weights=values - mean, minlength=count)
    return Estimate(mean, float(np.sqrt(count / (count - 1) * np.sum(deviations**2)) / len(values)))


def brier_skill(probability: type_of_floats, outcome: type_of_floats, reference: type_of_floats) -> float | None:
    """1 − Brier score ÷ the reference's Brier score; None when the reference is never wrong."""
    score = float(np.mean((probability - outcome) ** 2))
    base = float(np.mean((reference - outcome) ** 2))
    return 1 - score / base if base > 0 else None


def expected_calibration_error(probability: type_of_floats, outcome: type_of_floats, *, bins: int = 10) -> float:
    """Mean distance between stated and observed rates over equally wide bins, weighted by their rows."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    distance = np.bincount(place, weights=probability - outcome, minlength=bins)
    return float(np.abs(distance).sum() / len(outcome))
