"""XGBoost as the ladder's last rung: boosted trees that may only bend the way the expert expects.

Belongs here: the settings, the fit, the artefact with its calibration. Not here: when it is tried (`ladder`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lakehouse_assets.models.arrays import type_of_floats
from lakehouse_assets.models.calibration import Platt, fit_platt
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.logistic import Prior

if TYPE_CHECKING:
    import xgboost

TREES = 150
# Pairs, not a dict, so that a change of a setting changes the code version of what is trained with it.
SETTINGS: tuple[tuple[str, Any], ...] = (
    ("objective", "binary:logistic"),
    ("tree_method", "hist"),
    ("max_depth", 3),
    ("eta", 0.05),
    ("min_child_weight", 5),
    ("lambda", 5),
    ("seed", 0),
    # Up to a million rows a second thread costs more than it saves, and one alone has no order to get wrong.
    ("nthread", 1),
    ("verbosity", 0),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class BoostedModel:
    """Boosted trees and their calibration, both inside `artefact` (XGBoost's own UBJ format)."""

    kind: ClassVar[str] = "xgboost"

    artefact: bytes

    @cached_property
    def booster(self) -> xgboost.Booster:
        """The trees, loaded once."""
        import xgboost

        booster = xgboost.Booster({"nthread": 1, "verbosity": 0})
        booster.load_model(bytearray(self.artefact))
        return booster

    @cached_property
    def calibration(self) -> Platt:
        """The calibration that is kept among the booster's attributes."""
        stored = self.booster.attributes()
        return Platt(float(stored["platt_slope"] or ""), float(stored["platt_intercept"] or ""))

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The features in the order of the matrix's columns."""
        return tuple(self.booster.feature_names or ())

    def predict(self, inputs: type_of_floats) -> type_of_floats:
        """The calibrated probability of each row."""
        if not len(inputs):
            return np.empty(0)
        return self.calibration.apply(_raw(self.booster, inputs))

    def to_bytes(self) -> bytes:
        """The artefact."""
        return self.artefact

    @classmethod
    def from_bytes(cls, artefact: bytes) -> BoostedModel:
        """Read what `to_bytes` wrote."""
        model = cls(artefact=artefact)
        if not model.features:
            raise ModelError("the booster names no features: it was not written by this module")
        return model


def fit_boosted(
    fitted: tuple[type_of_floats, type_of_floats], held_out: tuple[type_of_floats, type_of_floats], prior: Prior
) -> BoostedModel:
    """Trees fitted to the rows (inputs, outcome) of `fitted`, calibrated on those of `held_out`.

    A feature whose effect the prior expects to be positive (negative) can only raise (lower) the probability.
    """
    import xgboost

    rows = xgboost.DMatrix(
        np.ascontiguousarray(fitted[0]), label=fitted[1], feature_names=list(prior.features), nthread=1
    )
    booster = xgboost.train(dict(SETTINGS) | {"monotone_constraints": prior.directions}, rows, num_boost_round=TREES)
    calibration = fit_platt(_raw(booster, held_out[0]), held_out[1])
    booster.set_attr(platt_slope=repr(calibration.slope), platt_intercept=repr(calibration.intercept))
    return BoostedModel(artefact=bytes(booster.save_raw("ubj")))


def _raw(booster: xgboost.Booster, inputs: type_of_floats) -> type_of_floats:
    return np.asarray(booster.inplace_predict(np.ascontiguousarray(inputs), validate_features=False), dtype=np.float64)
