"""A model as bytes, and back: JSON for what is a few numbers, UBJ for boosted trees, never pickle.

Belongs here: reading an artefact by its kind, and a model's identity. Not here: the formats (with their models).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from lakehouse_assets.models.arrays import type_of_floats
from lakehouse_assets.models.base_rate import BaseRateModel
from lakehouse_assets.models.boosting import BoostedModel
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.logistic import LogisticModel


class Model(Protocol):
    """What gives a probability to each row of a matrix whose columns are `features`."""

    @property
    def kind(self) -> str:
        """Which reader the artefact needs."""

    @property
    def features(self) -> tuple[str, ...]:
        """The features in the order of the matrix's columns."""

    def predict(self, inputs: type_of_floats) -> type_of_floats:
        """The probability of each row."""

    def to_bytes(self) -> bytes:
        """The artefact."""


KINDS: dict[str, type[BaseRateModel | LogisticModel | BoostedModel]] = {
    "base_rate": BaseRateModel,
    "logistic": LogisticModel,
    "xgboost": BoostedModel,
}


def load(kind: str, artefact: bytes) -> Model:
    """The model that `artefact` holds.

    Raises ModelError for a kind that is not known and for bytes that are not of this kind.
    """
    if kind not in KINDS:
        raise ModelError(f"no model is of kind {kind}: use one of {', '.join(KINDS)}")
    try:
        return KINDS[kind].from_bytes(artefact)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"artefact of {len(artefact)} bytes is no {kind} model: train it again") from error


def model_version(artefact: bytes, features: Sequence[str], code_version: str, rows: bytes) -> str:
    """SHA-256 of the artefact, the features, the code version and the training rows' digest, as 64 hex digits."""
    digest = hashlib.sha256()
    for part in (artefact, "\n".join(features).encode(), code_version.encode(), rows):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
