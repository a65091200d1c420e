"""The contest: who is promoted, on which rows it is judged, and what comes out with too little or nothing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lakehouse_assets.models.arrays import probability_of, type_of_floats
from lakehouse_assets.models.artefact import load
from lakehouse_assets.models.boosting import BoostedModel
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.ladder import Candidate, TrainingRows, contest, out_of_time
from lakehouse_assets.models.logistic import Effect, Prior

HORIZON = 90
PRIOR = Prior(
    base_rate=0.25,
    base_rate_sd=1.0,
    effects=(
        Effect(feature="interest", reference=0.0, mean=0.3, sd=0.5, reason="interest comes before a purchase"),
        Effect(feature="silence", reference=0.0, mean=-0.3, sd=0.5, reason="silence follows a refusal"),
    ),
)
MONTH_ENDS = (np.arange("2024-02", "2026-02", dtype="datetime64[M]").astype("datetime64[D]") - 1)[:24]


def rows_of(log_odds: Any, *, each: int, months: int = 24, seed: int = 0) -> TrainingRows:
    """`each` units a month end, every unit once; `log_odds` maps the inputs to the truth."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(each * months, 2))
    outcome = (random.random(len(inputs)) < probability_of(log_odds(inputs))).astype(float)
    units = np.arange(len(inputs))
    return TrainingRows(
        inputs=inputs, outcome=outcome, snapshots=np.repeat(MONTH_ENDS[:months], each), units=units, groups=units
    )


def noise(inputs: type_of_floats) -> type_of_floats:
    return np.full(len(inputs), -1.0)


def straight(inputs: type_of_floats) -> type_of_floats:
    return np.asarray(-1.0 + 1.2 * inputs[:, 0] - 0.8 * inputs[:, 1])


def bent(inputs: type_of_floats) -> type_of_floats:
    """Monotone as the prior says, but with steps that no straight line follows."""
    return np.asarray(np.where((inputs[:, 0] > 1) & (inputs[:, 1] < 0), 3.0, -2.5))


def run(rows: TrainingRows, code: str = "1") -> dict[str, Candidate]:
    return {candidate.kind: candidate for candidate in contest(rows, PRIOR, horizon_days=HORIZON, code_version=code)}


def champion(rows: TrainingRows) -> str:
    return next(candidate.kind for candidate in run(rows).values() if candidate.status == "champion")


def test_the_latest_fifth_is_judged_and_a_horizon_before_it_is_left_out() -> None:
    past, judged = out_of_time(rows_of(noise, each=2), HORIZON)
    assert np.unique(judged.snapshots).tolist() == MONTH_ENDS[-5:].tolist()
    assert past.snapshots.max() + np.timedelta64(HORIZON, "D") <= judged.snapshots.min()
    assert MONTH_ENDS[15] in past.snapshots


def test_noise_is_promoted_no_more_often_than_one_standard_error_allows() -> None:
    promoted = sum(champion(rows_of(noise, each=30, seed=seed)) != "base_rate" for seed in range(60))
    assert promoted <= 9


def test_more_noise_does_not_bring_trees_in() -> None:
    candidates = run(rows_of(noise, each=150))
    assert candidates["base_rate"].status == "champion"
    assert candidates["xgboost"].verdict.startswith("not promoted")


def test_a_straight_signal_promotes_the_logistic_and_not_the_trees() -> None:
    candidates = run(rows_of(straight, each=150))
    assert candidates["logistic"].status == "champion"
    assert candidates["logistic"].verdict.startswith("promoted")
    assert "xgboost" in candidates
    assert [candidate.status for candidate in candidates.values()].count("champion") == 1


def test_a_bent_signal_with_enough_rows_promotes_the_trees() -> None:
    candidates = run(rows_of(bent, each=200))
    assert candidates["xgboost"].status == "champion"
    assert candidates["xgboost"].evidence_level == "data"
    metrics = candidates["xgboost"].metrics
    assert metrics is not None
    assert metrics.gain is not None
    assert metrics.gain_error is not None
    assert metrics.gain > metrics.gain_error
    assert metrics.log_loss < metrics.base_rate_log_loss
    assert metrics.ece < 0.05


def test_trees_wait_for_two_thousand_rows_and_two_hundred_positives() -> None:
    assert "xgboost" not in run(rows_of(bent, each=83))
    assert "xgboost" in run(rows_of(bent, each=84))
    rare = rows_of(lambda inputs: np.full(len(inputs), -4.0), each=200)
    assert rare.positives < 200
    assert "xgboost" not in run(rare)


def test_without_rows_the_prior_s_base_rate_gives_the_number_and_says_so() -> None:
    candidates = run(rows_of(noise, each=0))
    base = candidates["base_rate"]
    assert (base.status, base.evidence_level, base.rows, base.metrics) == ("champion", "prior", 0, None)
    assert base.model.predict(np.zeros((3, 2))).tolist() == [0.25] * 3
    assert candidates["logistic"].verdict == "not judged: no outcome is known yet"


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_one_kind_of_outcome_promotes_nobody(outcome: float) -> None:
    rows = rows_of(noise, each=50)
    candidates = run(replace(rows, outcome=np.full(len(rows), outcome)))
    assert candidates["base_rate"].status == "champion"
    assert "one kind of outcome" in candidates["logistic"].verdict
    assert 0 < candidates["base_rate"].model.predict(np.zeros((1, 2)))[0] < 1


def test_a_first_snapshot_judges_the_priors_against_each_other() -> None:
    candidates = run(rows_of(straight, each=400, months=1))
    metrics = candidates["base_rate"].metrics
    assert metrics is not None
    assert metrics.log_loss == pytest.approx(metrics.base_rate_log_loss)
    assert candidates["logistic"].status == "champion"


def test_rows_of_a_few_customers_are_no_judges() -> None:
    rows = rows_of(straight, each=100)
    assert champion(rows) == "logistic"
    assert (
        run(replace(rows, groups=rows.units % 9))["logistic"].verdict
        == "not judged: 9 groups in the latest snapshots, 10 needed"
    )


@pytest.mark.parametrize(("each", "level"), [(1, "blended"), (200, "data")])
def test_the_evidence_level_follows_the_rows(each: int, level: str) -> None:
    candidates = run(rows_of(straight, each=each))
    assert candidates["logistic"].evidence_level == level


def test_the_same_units_seen_again_are_no_more_evidence() -> None:
    rows = rows_of(straight, each=3, months=24)
    again = replace(rows, units=rows.units // 24)
    assert again.weight == pytest.approx(1 / 24)
    assert run(rows)["base_rate"].evidence_level == "data"
    assert run(again)["base_rate"].evidence_level == "blended"


def test_a_contest_is_the_same_to_the_bit_when_run_again() -> None:
    first, again = run(rows_of(bent, each=100)), run(rows_of(bent, each=100))
    for kind, candidate in first.items():
        assert candidate.model.to_bytes() == again[kind].model.to_bytes()
        assert candidate[2:] == again[kind][2:]
    assert len({candidate.model_version for candidate in first.values()}) == len(first) == 3


def test_artefacts_read_back_by_kind_and_hold_no_pickle() -> None:
    rows = rows_of(bent, each=100)
    for candidate in run(rows).values():
        artefact = candidate.model.to_bytes()
        assert artefact[:1] == b"{"
        assert not artefact.startswith(b"\x80")
        again = load(candidate.kind, artefact)
        assert again.features == PRIOR.features
        assert (again.predict(rows.inputs) == candidate.model.predict(rows.inputs)).all()
        assert again.predict(rows.inputs[:0]).shape == (0,)


def test_a_boosted_row_s_probability_does_not_depend_on_the_rows_beside_it() -> None:
    rows = rows_of(bent, each=100)
    model = run(rows)["xgboost"].model
    together = model.predict(rows.inputs)
    assert (model.predict(np.asfortranarray(rows.inputs)[7:]) == together[7:]).all()
    assert model.predict(rows.inputs[11:12])[0] == together[11]


def test_trees_bend_only_the_way_the_expert_expects() -> None:
    model = run(rows_of(lambda inputs: -straight(inputs), each=150))["xgboost"].model
    grid = np.column_stack([np.linspace(-3, 3, 50), np.zeros(50)])
    assert (np.diff(model.predict(grid)) >= 0).all()
    assert (np.diff(model.predict(grid[:, ::-1])) <= 0).all()


@pytest.mark.parametrize(
    ("kind", "artefact"),
    [("base_rate", b"{}"), ("logistic", b"\x80\x04"), ("xgboost", b"not a booster"), ("pickle", b"")],
)
def test_bytes_that_are_no_such_model_are_refused(kind: str, artefact: bytes) -> None:
    with pytest.raises(ModelError, match=kind):
        load(kind, artefact)


@pytest.mark.parametrize("change", ["code", "outcome", "snapshots", "units"])
def test_a_version_names_its_code_and_its_rows(change: str) -> None:
    rows = rows_of(noise, each=10)
    other = rows
    if change != "code":
        changed: Any = 1 - rows.outcome if change == "outcome" else getattr(rows, change) + 1
        other = replace(rows, **{change: changed})
    before, after = run(rows), run(other, code="2" if change == "code" else "1")
    assert before["base_rate"].model_version != after["base_rate"].model_version


def test_rows_that_do_not_fit_together_are_refused() -> None:
    rows = rows_of(noise, each=2)
    with pytest.raises(ModelError, match="same"):
        replace(rows, inputs=rows.inputs[1:])
    with pytest.raises(ModelError, match="neither"):
        replace(rows, outcome=rows.outcome + 1)


def test_xgboost_is_imported_only_when_the_rows_call_for_it() -> None:
    program = (
        "import sys, numpy as np\n"
        "from lakehouse_assets.models.ladder import TrainingRows, contest\n"
        "from lakehouse_assets.models.logistic import Prior\n"
        "n = np.arange(500)\n"
        "rows = TrainingRows(inputs=np.empty((500, 0)), outcome=(n % 3 == 0) * 1.0, units=n, groups=n,"
        " snapshots=np.datetime64('2024-01-31') + 30 * (n % 10))\n"
        "contest(rows, Prior(base_rate=.5, base_rate_sd=1., effects=()), horizon_days=90, code_version='')\n"
        "sys.exit('xgboost' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_booster_without_names_was_not_written_here() -> None:
    import xgboost

    rows = xgboost.DMatrix(np.zeros((4, 1)), label=np.array([0.0, 1.0, 0.0, 1.0]))
    artefact = bytes(xgboost.train({"verbosity": 0}, rows, 1).save_raw("ubj"))
    with pytest.raises(ModelError, match="names no features"):
        BoostedModel.from_bytes(artefact)
