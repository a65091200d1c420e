"""The figures that models are judged by, and calibration."""

from __future__ import annotations

import numpy as np
import pytest

from lakehouse_assets.models.arrays import log_odds_of, probability_of
from lakehouse_assets.models.calibration import fit_platt
from lakehouse_assets.models.metrics import brier_skill, expected_calibration_error, log_losses, mean_with_error

ONE_EACH = np.arange(4)


def test_log_loss_is_the_surprise_in_nats_and_never_infinite() -> None:
    losses = log_losses(np.array([0.5, 0.8, 0.0]), np.array([1.0, 0.0, 1.0]))
    assert losses[:2] == pytest.approx([np.log(2), -np.log(0.2)])
    assert 20 < losses[2] < 40


def test_the_standard_error_of_independent_rows_is_the_usual_one() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0])
    assert mean_with_error(values, ONE_EACH) == pytest.approx((3.5, values.std(ddof=1) / 2))


def test_rows_that_repeat_each_other_add_no_certainty() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0])
    repeated = mean_with_error(np.repeat(values, 5), np.repeat(ONE_EACH, 5))
    assert repeated.error == pytest.approx(mean_with_error(values, ONE_EACH).error)
    assert mean_with_error(np.repeat(values, 5), np.arange(20)).error < repeated.error / 2


def test_one_group_has_no_standard_error() -> None:
    assert mean_with_error(np.array([1.0, 3.0]), np.zeros(2, dtype=np.int64)) == (2.0, float("inf"))


def test_brier_skill_is_one_for_the_truth_zero_for_the_reference_and_none_without_a_miss() -> None:
    outcome, reference = np.array([1.0, 0.0, 0.0, 1.0]), np.full(4, 0.5)
    assert brier_skill(outcome, outcome, reference) == 1
    assert brier_skill(reference, outcome, reference) == 0
    assert brier_skill(reference, outcome, outcome) is None


def test_calibration_error_is_the_distance_between_stated_and_observed() -> None:
    outcome = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    stated = np.array([0.25] * 4 + [1.0] * 4)
    assert expected_calibration_error(stated, outcome) == 0
    assert expected_calibration_error(np.full(8, 0.95), outcome) == pytest.approx(0.95 - 5 / 8)


def test_platt_brings_overconfident_probabilities_back() -> None:
    random = np.random.default_rng(0)
    truth = probability_of(random.normal(-1, 1, 20_000))
    outcome = (random.random(20_000) < truth).astype(float)
    stated = probability_of(2 * log_odds_of(truth) + 1)
    calibration = fit_platt(stated, outcome)
    assert calibration.slope == pytest.approx(0.5, abs=0.05)
    assert (
        expected_calibration_error(calibration.apply(stated), outcome)
        < 0.02
        < expected_calibration_error(stated, outcome)
    )


def test_platt_without_rows_changes_nothing() -> None:
    stated = np.array([0.1, 0.5, 0.9])
    assert fit_platt(np.empty(0), np.empty(0)).apply(stated) == pytest.approx(stated)


def test_platt_turns_a_model_that_is_the_wrong_way_round_into_a_constant() -> None:
    outcome = np.array([1.0] * 300 + [0.0] * 700)
    calibrated = fit_platt(np.where(outcome > 0, 0.1, 0.9), outcome).apply(np.array([0.01, 0.99]))
    assert calibrated[0] == calibrated[1] == pytest.approx(0.3, abs=0.01)
