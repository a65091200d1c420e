"""Platt calibration: bring a model's log-odds onto the rates observed on rows that it was not fitted to.

Belongs here: the two numbers and how they are found. Not here: which rows they are found on (`ladder`).
"""

from __future__ import annotations

from typing import NamedTuple

from lakehouse_assets.models.arrays import log_odds_of, probability_of, type_of_floats
from lakehouse_assets.models.logistic import Effect, Prior, fit_logistic

# The prior says that the model is right as it is, so that a few rows move it a little and none not at all.
SLOPE = (Effect(feature="log_odds", reference=0.0, mean=1.0, sd=0.5, reason="a sound model has slope 1"),)


class Platt(NamedTuple):
    """Calibrated probability = σ(intercept + slope · log-odds)."""

    slope: float
    intercept: float

    def apply(self, probability: type_of_floats) -> type_of_floats:
        """The calibrated probabilities."""
        return probability_of(self.intercept + self.slope * log_odds_of(probability))


def fit_platt(probability: type_of_floats, outcome: type_of_floats) -> Platt:
    """Slope and intercept from the probabilities of rows outside the fit and their outcomes.

    The slope is never below 0: turning a model's order round is not calibrating it, so such a model becomes a constant.
    """
    log_odds = log_odds_of(probability)[:, None]
    intercept, slope = fit_logistic(log_odds, outcome, _prior(SLOPE)).mean.tolist()
    if slope < 0:
        intercept, slope = float(fit_logistic(log_odds[:, :0], outcome, _prior(())).mean[0]), 0.0
    return Platt(slope, intercept)


def _prior(effects: tuple[Effect, ...]) -> Prior:
    return Prior(base_rate=0.5, base_rate_sd=1.0, effects=effects)
