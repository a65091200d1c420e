"""Logistic regression under an expert prior, for tens of rows as for millions.

Belongs here: the prior, the fit, the probability with its interval. Not here: whether the model is used (`ladder`).

The estimate is the maximum of the posterior (MAP): log-likelihood plus independent normal priors on the
coefficients, by Newton steps. The curvature there gives the Laplace approximation of the posterior, so that a row has
log-odds m with variance v; its probability is σ(m ÷ √(1 + πv ÷ 8)) (MacKay 1992) and its 90 % interval σ(m ± 1.645√v).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lakehouse_assets.models.arrays import probability_of, significant, type_of_floats
from lakehouse_assets.models.errors import ModelError

NORMAL_95 = 1.645  # the 95 % point of the normal distribution, so ± covers 90 %
MOST_STEPS = 100
SMALLEST_STEP = 1e-10
CONVERGED = 1e-9  # of the gradient's product with the Newton step, in units of log-likelihood


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What an expert holds of one feature before any data.

    `mean` and `sd` are the change in log-odds for one unit of the feature. `reference` is the feature's value in a
    typical case: it is subtracted, so that the prior's base rate speaks of that case.
    """

    feature: str
    reference: float
    mean: float
    sd: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Prior:
    """An expert's view before any data: the probability of a typical case, and each feature's effect.

    `base_rate_sd` is the uncertainty of the base rate in log-odds.
    """

    base_rate: float
    base_rate_sd: float
    effects: tuple[Effect, ...]

    def __post_init__(self) -> None:
        if not 0 < self.base_rate < 1:
            raise ModelError(f"prior base rate {self.base_rate} must lie strictly between 0 and 1")
        if self.base_rate_sd <= 0 or any(effect.sd <= 0 for effect in self.effects):
            raise ModelError("every sd of a prior must be above 0: use a small one for a firm belief")
        if len(set(self.features)) != len(self.effects):
            raise ModelError(f"the prior names a feature twice: {', '.join(self.features)}")

    @property
    def features(self) -> tuple[str, ...]:
        """The features in the order of every matrix's columns."""
        return tuple(effect.feature for effect in self.effects)

    @property
    def directions(self) -> tuple[int, ...]:
        """+1 for a feature that the expert expects to raise the probability, −1 to lower it, 0 for no opinion."""
        return tuple(int(math.copysign(1, effect.mean)) if effect.mean else 0 for effect in self.effects)

    @property
    def rows(self) -> float:
        """How many rows the base rate is worth: its sd in log-odds as that of a Beta distribution."""
        return 1 / (self.base_rate_sd**2 * self.base_rate * (1 - self.base_rate))

    def log_odds(self) -> tuple[type_of_floats, type_of_floats]:
        """Means and sds of the coefficients, the intercept first."""
        intercept = math.log(self.base_rate / (1 - self.base_rate))
        means = [intercept, *(effect.mean for effect in self.effects)]
        return np.array(means), np.array([self.base_rate_sd, *(effect.sd for effect in self.effects)])


@dataclass(frozen=True, eq=False, kw_only=True)
class LogisticModel:
    """The posterior of a logistic regression: `mean` (k + 1) and `covariance` (k + 1, k + 1), the intercept first."""

    kind: ClassVar[str] = "logistic"

    features: tuple[str, ...]
    reference: type_of_floats
    mean: type_of_floats
    covariance: type_of_floats

    def log_odds(self, inputs: type_of_floats) -> tuple[type_of_floats, type_of_floats]:
        """Mean and variance of each row's log-odds.

        Summed column by column: a matrix product would round a row differently with its place in the matrix.
        """
        columns = [np.ones(len(inputs)), *(inputs[:, j] - self.reference[j] for j in range(len(self.features)))]
        mean, variance = np.zeros(len(inputs)), np.zeros(len(inputs))
        for i, left in enumerate(columns):
            mean += self.mean[i] * left
            for j, right in enumerate(columns[: i + 1]):
                variance += (self.covariance[i, j] * (1 if i == j else 2)) * (left * right)
        return mean, np.maximum(variance, 0.0)

    def predict(self, inputs: type_of_floats) -> type_of_floats:
        """The probability of each row, averaged over the posterior."""
        mean, variance = self.log_odds(inputs)
        return probability_of(mean / np.sqrt(1 + np.pi * variance / 8))

    def interval(self, inputs: type_of_floats) -> tuple[type_of_floats, type_of_floats]:
        """The 90 % interval of each row's probability."""
        mean, variance = self.log_odds(inputs)
        half = NORMAL_95 * np.sqrt(variance)
        return probability_of(mean - half), probability_of(mean + half)

    def to_bytes(self) -> bytes:
        """The artefact: JSON whose numbers read back to the bit."""
        return json.dumps(
            {
                "kind": self.kind,
                "features": list(self.features),
                "reference": self.reference.tolist(),
                "mean": self.mean.tolist(),
                "covariance": self.covariance.tolist(),
            },
            sort_keys=True,
        ).encode()

    @classmethod
    def from_bytes(cls, artefact: bytes) -> LogisticModel:
        """Read what `to_bytes` wrote."""
        stored = json.loads(artefact)
        return cls(
            features=tuple(stored["features"]),
            reference=np.array(stored["reference"], dtype=np.float64),
            mean=np.array(stored["mean"], dtype=np.float64),
            covariance=np.array(stored["covariance"], dtype=np.float64),
        )


def fit_logistic(
    inputs: type_of_floats, outcome: type_of_floats, prior: Prior, *, weight: float = 1.0
) -> LogisticModel:
    """The posterior after `inputs` (n, k) with `outcome` 0 or 1; without rows, the prior.

    `weight` is what one row counts: below 1 where rows repeat each other's evidence.
    """
    centre, sd = prior.log_odds()
    reference = np.array([effect.reference for effect in prior.effects])
    design = np.column_stack([np.ones(len(inputs)), inputs - reference])
    if not np.isfinite(design).all():
        raise ModelError(f"features {', '.join(prior.features)} hold a value that is not finite: fill or leave out")
    precision = 1 / sd**2

    def objective(coefficients: type_of_floats) -> float:
        log_odds = design @ coefficients
        likelihood = float(np.sum(np.logaddexp(0.0, log_odds) - outcome * log_odds))
        return weight * likelihood + 0.5 * float(np.sum(precision * (coefficients - centre) ** 2))

    current = centre.copy()
    value = objective(current)
    for _ in range(MOST_STEPS):
        gradient, curvature = _derivatives(design, outcome, current, weight)
        gradient += precision * (current - centre)
        step = np.linalg.solve(curvature + np.diag(precision), gradient)
        if float(gradient @ step) < CONVERGED:
            break
        size = 1.0
        while (trial := objective(current - size * step)) > value and size > SMALLEST_STEP:
            size /= 2
        if trial > value:  # rounding hides what is left to gain
            break
        current, value = current - size * step, trial
    else:
        raise ModelError(f"logistic regression did not settle in {MOST_STEPS} Newton steps on {len(inputs)} rows")
    _, curvature = _derivatives(design, outcome, current - step, weight)
    covariance = np.linalg.inv(curvature + np.diag(precision))
    return LogisticModel(
        features=prior.features,
        reference=reference,
        mean=significant(current - step),
        covariance=significant((covariance + covariance.T) / 2),
    )


def share_from_data(model: LogisticModel, prior: Prior, inputs: type_of_floats) -> float:
    """The share of the prior's variance in the rows' log-odds that the data took away: 0 for none, near 1 for all."""
    if not len(inputs):
        return 0.0
    before = fit_logistic(np.empty((0, len(prior.effects))), np.empty(0), prior)
    return 1 - float(model.log_odds(inputs)[1].mean() / before.log_odds(inputs)[1].mean())


def _derivatives(
    design: type_of_floats, outcome: type_of_floats, coefficients: type_of_floats, weight: float
) -> tuple[type_of_floats, type_of_floats]:
    probability = probability_of(design @ coefficients)
    gradient = weight * (design.T @ (probability - outcome))
    spread = probability * (1 - probability)
    return gradient, weight * ((design * spread[:, None]).T @ design)
