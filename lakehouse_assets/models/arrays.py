"""The array types of the models, and the link between a probability and its log-odds.

Belongs here: arithmetic whose result for a row does not depend on the rows beside it. Not here: any model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

type_of_floats = npt.NDArray[np.float64]
type_of_codes = npt.NDArray[np.int64]
type_of_dates = npt.NDArray[np.datetime64]
type_of_mask = npt.NDArray[np.bool_]

# A probability of exactly 0 or 1 would make one wrong answer infinitely bad.
SMALLEST = 1e-12


def probability_of(log_odds: type_of_floats) -> type_of_floats:
    """σ(x) = 1 ÷ (1 + e⁻ˣ), without overflow on either side."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -log_odds)), dtype=np.float64)


def log_odds_of(probability: type_of_floats) -> type_of_floats:
    """ln(p ÷ (1 − p)), with p kept off 0 and 1."""
    inside = np.clip(probability, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(inside) - np.log1p(-inside), dtype=np.float64)


def significant(values: type_of_floats, digits: int = 12) -> type_of_floats:
    """Round to significant digits, below which the order of a sum decides."""
    flat = [float(f"{value:.{digits - 1}e}") for value in values.ravel()]
    return np.array(flat, dtype=np.float64).reshape(values.shape)
