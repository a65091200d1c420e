"""MAP logistic regression: what it recovers, what its uncertainty is worth, and what it does with little or nothing."""

from __future__ import annotations

import numpy as np
import pytest

from lakehouse_assets.models.arrays import log_odds_of, probability_of, type_of_floats
from lakehouse_assets.models.base_rate import fit_base_rate
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.logistic import Effect, LogisticModel, Prior, fit_logistic, share_from_data
from lakehouse_assets.models.metrics import log_losses

TRUTH = np.array([-1.0, 0.8, -0.5])
PRIOR = Prior(
    base_rate=0.3,
    base_rate_sd=1.0,
    effects=(
        Effect(feature="interest", reference=1.0, mean=0.5, sd=0.5, reason="interest comes before a purchase"),
        Effect(feature="silence", reference=0.0, mean=-0.3, sd=0.5, reason="silence follows a refusal"),
    ),
)
NOTHING: type_of_floats = np.empty((0, 2))


def world(rows: int, seed: int) -> tuple[type_of_floats, type_of_floats]:
    random = np.random.default_rng(seed)
    inputs = random.normal([1.0, 0.0], 1.0, size=(rows, 2))
    log_odds = TRUTH[0] + (inputs - [1.0, 0.0]) @ TRUTH[1:]
    return inputs, (random.random(rows) < probability_of(log_odds)).astype(float)


def test_the_truth_is_recovered_from_many_rows() -> None:
    model = fit_logistic(*world(100_000, 1), PRIOR)
    assert np.abs(model.mean - TRUTH) == pytest.approx(0.0, abs=4 * np.sqrt(np.diag(model.covariance)).max())
    assert np.sqrt(np.diag(model.covariance)).max() < 0.02


def test_ninety_percent_intervals_hold_the_truth_nine_times_in_ten() -> None:
    at = np.array([[2.0, -1.0]])
    truth = probability_of(TRUTH[0] + np.array([1.0, -1.0]) @ TRUTH[1:])
    held = 0
    for seed in range(300):
        low, high = fit_logistic(*world(150, seed), PRIOR).interval(at)
        held += int(low[0] <= truth <= high[0])
    assert 0.85 <= held / 300 <= 0.97


@pytest.mark.parametrize("rows", [13, 100, 1000])
def test_the_prior_beats_the_base_rate_from_the_first_rows_on(rows: int) -> None:
    inputs, outcome = world(20_000, 99)
    gains = []
    for seed in range(20):
        seen = world(rows, seed)
        loss = log_losses(fit_logistic(*seen, PRIOR).predict(inputs), outcome).mean()
        gains.append(log_losses(fit_base_rate(seen[1], PRIOR).predict(inputs), outcome).mean() - loss)
    assert np.mean(gains) > 0.02


def test_without_rows_the_model_is_the_prior() -> None:
    model = fit_logistic(NOTHING, np.empty(0), PRIOR)
    means, sds = PRIOR.log_odds()
    assert model.mean == pytest.approx(means)
    assert model.covariance == pytest.approx(np.diag(sds**2))
    assert share_from_data(model, PRIOR, NOTHING) == 0


def test_the_probability_is_the_posterior_s_average() -> None:
    model = fit_logistic(NOTHING, np.empty(0), PRIOR)
    at = np.array([[2.0, 1.0]])
    draws = np.random.default_rng(3).multivariate_normal(model.mean, model.covariance, size=200_000)
    average = probability_of(draws @ np.array([1.0, 1.0, 1.0])).mean()
    assert model.predict(at)[0] == pytest.approx(average, abs=0.005)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_one_kind_of_outcome_gives_a_probability_and_no_certainty(outcome: float) -> None:
    inputs, _ = world(500, 4)
    probability = fit_logistic(inputs, np.full(500, outcome), PRIOR).predict(inputs)
    assert np.abs(outcome - probability).max() < 0.1
    assert np.abs(outcome - probability).min() > 0


def test_perfectly_separated_and_huge_inputs_settle() -> None:
    inputs = np.array([[1e6, 0.0], [-1e6, 0.0]] * 50)
    model = fit_logistic(inputs, (inputs[:, 0] > 0).astype(float), PRIOR)
    assert np.isfinite(model.mean).all()
    assert (model.predict(inputs) > 0.8).tolist() == [True, False] * 50


def test_a_row_that_counts_half_is_half_the_evidence() -> None:
    inputs, outcome = world(400, 5)
    twice = fit_logistic(np.tile(inputs, (2, 1)), np.tile(outcome, 2), PRIOR, weight=0.5)
    once = fit_logistic(inputs, outcome, PRIOR)
    assert twice.mean == pytest.approx(once.mean, abs=1e-9)
    assert twice.covariance == pytest.approx(once.covariance, abs=1e-9)


def test_a_row_s_probability_does_not_depend_on_the_rows_beside_it() -> None:
    inputs, outcome = world(1001, 6)
    model = fit_logistic(inputs, outcome, PRIOR)
    together = model.predict(inputs)
    for position in (0, 1, 500, 1000):
        assert model.predict(inputs[position : position + 1])[0] == together[position]
    assert (model.predict(np.asfortranarray(inputs)[3:]) == together[3:]).all()


def test_an_artefact_reads_back_to_the_bit() -> None:
    inputs, outcome = world(300, 7)
    model = fit_logistic(inputs, outcome, PRIOR)
    again = LogisticModel.from_bytes(model.to_bytes())
    assert again.to_bytes() == model.to_bytes()
    assert (again.predict(inputs) == model.predict(inputs)).all()
    assert fit_logistic(inputs, outcome, PRIOR).to_bytes() == model.to_bytes()


def test_the_order_of_the_rows_does_not_reach_the_artefact() -> None:
    inputs, outcome = world(5000, 8)
    order = np.random.default_rng(0).permutation(5000)
    assert (
        fit_logistic(inputs[order], outcome[order], PRIOR).to_bytes() == fit_logistic(inputs, outcome, PRIOR).to_bytes()
    )


def test_the_share_from_data_grows_from_none_to_nearly_all() -> None:
    shares = []
    for rows in (5, 50, 500, 5000):
        inputs, outcome = world(rows, 9)
        shares.append(share_from_data(fit_logistic(inputs, outcome, PRIOR), PRIOR, inputs))
    assert shares == sorted(shares)
    assert shares[0] < 0.6
    assert shares[-1] > 0.99


def test_the_base_rate_starts_at_the_prior_and_ends_at_the_data() -> None:
    outcome = (np.arange(10_000) % 10 == 0).astype(float)
    assert fit_base_rate(np.empty(0), PRIOR).probability == PRIOR.base_rate
    assert fit_base_rate(outcome, PRIOR).probability == pytest.approx(0.1, abs=0.001)
    assert 0.1 < fit_base_rate(outcome[:10], PRIOR).probability < 0.3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused_by_name(value: float) -> None:
    with pytest.raises(ModelError, match="interest, silence"):
        fit_logistic(np.array([[value, 0.0]]), np.ones(1), PRIOR)


@pytest.mark.parametrize(("rate", "sd"), [(0.0, 1.0), (1.0, 1.0), (0.5, 0.0)])
def test_a_prior_without_doubt_is_refused(rate: float, sd: float) -> None:
    with pytest.raises(ModelError):
        Prior(base_rate=rate, base_rate_sd=sd, effects=())


def test_a_feature_named_twice_is_refused() -> None:
    with pytest.raises(ModelError, match="twice"):
        Prior(base_rate=0.5, base_rate_sd=1.0, effects=(PRIOR.effects[0], PRIOR.effects[0]))


def test_log_odds_and_probability_undo_each_other_at_the_ends_too() -> None:
    probability = np.array([0.0, 1e-9, 0.5, 1.0])
    assert probability_of(log_odds_of(probability)) == pytest.approx(probability, abs=1e-11)
    assert probability_of(np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]
