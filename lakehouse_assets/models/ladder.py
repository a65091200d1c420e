"""The contest that decides which model gives a tenant's probabilities.

Belongs here: the split in time, the rungs, the promotion. Not here: the models, and where the rows come from.

The rungs are base rate → MAP logistic regression → XGBoost. The base rate is champion until another rung has shown
more on snapshots later than any that it was fitted to. With no rows that is the prior's base rate: a prior that nobody
has tested gives the number, and says so in the evidence level.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from lakehouse_assets.models.arrays import type_of_codes, type_of_dates, type_of_floats, type_of_mask
from lakehouse_assets.models.artefact import Model, model_version
from lakehouse_assets.models.base_rate import fit_base_rate
from lakehouse_assets.models.boosting import BoostedModel, fit_boosted
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.logistic import LogisticModel, Prior, fit_logistic, share_from_data
from lakehouse_assets.models.metrics import (
    Metrics,
    brier_skill,
    expected_calibration_error,
    log_losses,
    mean_with_error,
)

type_of_evidence = Literal["prior", "blended", "data"]

JUDGED_SHARE = 0.2  # of the snapshots, the latest ones
LEAST_POSITIVES = 200  # for XGBoost to take part
LEAST_ROWS = 2000
LEAST_JUDGED_GROUPS = 10  # fewer give no standard error worth the name
MOSTLY_DATA = 0.9  # of what is known comes from rows, not from the prior


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingRows:
    """One row per unit (a lead, a machine) and snapshot, all arrays of the same length.

    `outcome` is 1 where the event came within the horizon. `units` tells whose row it is: rows of one unit are the same
    evidence seen again. Rows of one of `groups` (a customer) depend on each other when a model is judged.
    """

    inputs: type_of_floats
    outcome: type_of_floats
    snapshots: type_of_dates
    units: type_of_codes
    groups: type_of_codes

    def __post_init__(self) -> None:
        lengths = {len(self.outcome), len(self.snapshots), len(self.units), len(self.groups), len(self.inputs)}
        if len(lengths) > 1:
            raise ModelError(f"training arrays have {sorted(lengths)} rows: give them the same")
        if not np.isin(self.outcome, (0.0, 1.0)).all():
            raise ModelError("an outcome is neither 0 nor 1")

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def positives(self) -> int:
        """The rows whose event came."""
        return int(self.outcome.sum())

    @property
    def weight(self) -> float:
        """What a row counts when it is fitted: units ÷ rows.

        Horizons that overlap tell the same event several times; the same weight for all keeps rates unbiased.
        """
        return len(np.unique(self.units)) / len(self) if len(self) else 1.0

    def where(self, mask: type_of_mask) -> TrainingRows:
        """The rows where `mask` holds."""
        return TrainingRows(
            inputs=self.inputs[mask],
            outcome=self.outcome[mask],
            snapshots=self.snapshots[mask],
            units=self.units[mask],
            groups=self.groups[mask],
        )

    def digest(self) -> bytes:
        """SHA-256 of the rows in their order."""
        days = self.snapshots.astype("datetime64[D]").astype(np.int64)
        digest = hashlib.sha256(repr(self.inputs.shape).encode())
        for array in (self.inputs, self.outcome, days, self.units, self.groups):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.digest()


class Candidate(NamedTuple):
    """One rung of the contest: its model fitted to all rows, and how it did out of time (None: not judged)."""

    kind: str
    model: Model
    model_version: str
    status: Literal["champion", "challenger"]
    evidence_level: type_of_evidence
    rows: int
    positives: int
    metrics: Metrics | None
    verdict: str


class OutOfTime(NamedTuple):
    """`judged` are the rows of the latest snapshots, `past` those whose outcome was known before the first of them."""

    past: TrainingRows
    judged: TrainingRows


def out_of_time(rows: TrainingRows, horizon_days: int) -> OutOfTime:
    """Set the latest 20 % of the snapshots apart, with a gap of the horizon before them."""
    snapshots = np.unique(rows.snapshots)
    if not len(snapshots):
        return OutOfTime(rows, rows)
    first = snapshots[-max(1, int(np.ceil(JUDGED_SHARE * len(snapshots))))]
    gap = np.timedelta64(horizon_days, "D")
    return OutOfTime(rows.where(rows.snapshots + gap <= first), rows.where(rows.snapshots >= first))


def contest(rows: TrainingRows, prior: Prior, *, horizon_days: int, code_version: str) -> list[Candidate]:
    """Fit every rung that the rows allow and let them compete; the candidates from the lowest rung up, one champion.

    A rung is promoted only when, out of time, it beats every rung below it by more than one standard error of the
    difference in log loss. `horizon_days` is how long an outcome takes to be known. Deterministic to the bit.
    """
    models = _rungs(rows, prior, horizon_days)
    past, judged = out_of_time(rows, horizon_days)
    rivals = _rungs(past, prior, horizon_days, boosted=len(models) > 2)
    probabilities = [rival.predict(judged.inputs) for rival in rivals]
    reason = _not_judged(judged)
    champion, verdicts = 0, ["stands until a higher rung is shown to be better"]
    for rung in range(1, len(models)):
        beaten, verdict = _judge(probabilities[: rung + 1], judged) if not reason else (False, reason)
        if rung >= len(probabilities):
            beaten, verdict = False, "not judged: too little history before the latest snapshots to fit it"
        champion = rung if beaten else champion
        verdicts.append(verdict)
    digest = rows.digest()
    return [
        Candidate(
            kind=model.kind,
            model=model,
            model_version=model_version(model.to_bytes(), model.features, code_version, digest),
            status="champion" if rung == champion else "challenger",
            evidence_level=_evidence(model, rows, prior),
            rows=len(rows),
            positives=rows.positives,
            metrics=_metrics(probabilities[: rung + 1], judged) if rung < len(probabilities) and len(judged) else None,
            verdict=verdicts[rung],
        )
        for rung, model in enumerate(models)
    ]


def _rungs(rows: TrainingRows, prior: Prior, horizon_days: int, *, boosted: bool | None = None) -> list[Model]:
    """The models that the rows allow; `boosted` overrides the thresholds, which speak of all rows, not of a part."""
    models: list[Model] = [
        fit_base_rate(rows.outcome, prior, weight=rows.weight),
        fit_logistic(rows.inputs, rows.outcome, prior, weight=rows.weight),
    ]
    enough = rows.positives >= LEAST_POSITIVES and len(rows) >= LEAST_ROWS
    if (enough if boosted is None else boosted) and (model := _boosted(rows, prior, horizon_days)):
        models.append(model)
    return models


def _boosted(rows: TrainingRows, prior: Prior, horizon_days: int) -> BoostedModel | None:
    fitted, held_out = out_of_time(rows, horizon_days)
    if not _both_classes(fitted):
        return None
    return fit_boosted((fitted.inputs, fitted.outcome), (held_out.inputs, held_out.outcome), prior)


def _both_classes(rows: TrainingRows) -> bool:
    return 0 < rows.positives < len(rows)


def _not_judged(judged: TrainingRows) -> str:
    if not len(judged):
        return "not judged: no outcome is known yet"
    if not _both_classes(judged):
        return "not judged: the latest snapshots hold one kind of outcome only"
    if (groups := len(np.unique(judged.groups))) < LEAST_JUDGED_GROUPS:
        return f"not judged: {groups} groups in the latest snapshots, {LEAST_JUDGED_GROUPS} needed"
    return ""


def _judge(probabilities: list[type_of_floats], judged: TrainingRows) -> tuple[bool, str]:
    """Whether the last of the rungs beats each one below, and the hardest comparison in words."""
    losses = [log_losses(probability, judged.outcome) for probability in probabilities]
    gains = [mean_with_error(below - losses[-1], judged.groups) for below in losses[:-1]]
    hardest = min(gains, key=lambda gain: gain.mean - gain.error)
    promoted = hardest.mean > hardest.error
    return promoted, (
        f"{'promoted' if promoted else 'not promoted'}: log loss {losses[-1].mean():.4f}, "
        f"gain {hardest.mean:+.4f} ± {hardest.error:.4f} on {len(judged)} later rows"
    )


def _metrics(probabilities: list[type_of_floats], judged: TrainingRows) -> Metrics:
    losses = [log_losses(probability, judged.outcome) for probability in probabilities]
    loss = mean_with_error(losses[-1], judged.groups)
    gains = [mean_with_error(below - above, judged.groups) for below, above in pairwise(losses)]
    return Metrics(
        rows=len(judged),
        positives=judged.positives,
        log_loss=loss.mean,
        log_loss_error=_finite(loss.error),
        base_rate_log_loss=float(losses[0].mean()),
        gain=gains[-1].mean if gains else None,
        gain_error=_finite(gains[-1].error) if gains else None,
        brier_skill=brier_skill(probabilities[-1], judged.outcome, probabilities[0]),
        ece=expected_calibration_error(probabilities[-1], judged.outcome),
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _evidence(model: Model, rows: TrainingRows, prior: Prior) -> type_of_evidence:
    if not len(rows):
        return "prior"
    if isinstance(model, LogisticModel):
        share = share_from_data(model, prior, rows.inputs)
    elif isinstance(model, BoostedModel):
        share = 1.0
    else:
        effective = rows.weight * len(rows)
        share = effective / (effective + prior.rows)
    return "data" if share >= MOSTLY_DATA else "blended"
