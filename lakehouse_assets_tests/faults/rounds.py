"""How often each fault is repeated, and by which seed: a slice in `make test`, all in `make test-faults`.

Belongs here: the two settings. A failure is repeated by the seed in the name of its case: `make test-faults SEED=…`.
"""

from __future__ import annotations

import os

THOROUGH = os.environ.get("FAULTS") == "all"
SEED = int(os.environ.get("FAULTS_SEED") or 1)


def rounds(in_slice: int, in_full: int) -> int:
    """How many repetitions this run is asked for."""
    return in_full if THOROUGH else in_slice


def seeds(in_slice: int, in_full: int) -> list[int]:
    """One seed for each repetition, as cases of a test."""
    return [SEED * 1000 + number for number in range(rounds(in_slice, in_full))]
