"""The base rate: one probability for every row, and the model that every other one has to beat.

Belongs here: the rate and its artefact. Not here: where the prior comes from (the domain) or who wins (`ladder`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lakehouse_assets.models.arrays import type_of_floats
from lakehouse_assets.models.logistic import Prior


@dataclass(frozen=True, kw_only=True)
class BaseRateModel:
    """The same `probability` for every row."""

    kind: ClassVar[str] = "base_rate"

    features: tuple[str, ...]
    probability: float

    def predict(self, inputs: type_of_floats) -> type_of_floats:
        """The base rate, once for each row."""
        return np.full(len(inputs), self.probability)

    def to_bytes(self) -> bytes:
        """The artefact: JSON whose number reads back to the bit."""
        stored = {"kind": self.kind, "features": list(self.features), "probability": self.probability}
        return json.dumps(stored, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, artefact: bytes) -> BaseRateModel:
        """Read what `to_bytes` wrote."""
        stored = json.loads(artefact)
        return cls(features=tuple(stored["features"]), probability=float(stored["probability"]))


def fit_base_rate(outcome: type_of_floats, prior: Prior, *, weight: float = 1.0) -> BaseRateModel:
    """The rate of `outcome`, drawn to the prior's as by `prior.rows` rows more; without rows, the prior's."""
    positives, rows = weight * float(outcome.sum()), weight * len(outcome)
    probability = prior.base_rate + (positives - rows * prior.base_rate) / (rows + prior.rows)
    return BaseRateModel(features=prior.features, probability=probability)
