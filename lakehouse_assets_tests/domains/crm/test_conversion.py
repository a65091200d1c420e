"""The conversion model: what a training row is, what it may know, and what a customer gets from it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse_assets.domains.crm.conversion import (
    HISTORY,
    HORIZON,
    SCHEMA,
    SNAPSHOTS,
    training_rows,
    with_model_features,
    with_probability,
)
from lakehouse_assets.domains.crm.conversion_prior import expert_prior
from lakehouse_assets.domains.crm.features import customer_figures
from lakehouse_assets.lake.partitions import Window
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets_tests.domains.crm.conversion_tables import (
    LATER,
    NOTHING,
    START,
    Silver,
    T,
    champion,
    crm,
    interaction,
    lead,
    silver,
    trained,
)


@pytest.mark.parametrize(
    ("ending", "closed", "outcome"),
    [
        ("closed_won", T + timedelta(days=1), [1.0]),
        ("closed_won", LATER, [1.0]),
        ("closed_won", None, [1.0]),
        ("closed_won", LATER + timedelta(days=1), [0.0]),
        ("closed_lost", T + timedelta(days=5), [0.0]),
        ("proposal", None, [0.0]),
        ("deleted", None, [0.0]),
        ("closed_won", T, []),
        ("closed_lost", T - timedelta(days=3), []),
    ],
)
def test_a_lead_s_outcome_is_read_ninety_days_on(ending: str, closed: date | None, outcome: list[float]) -> None:
    later = [lead(LATER, "L1", ending, closed), lead(LATER, "other", "new")]
    tables = silver([lead(T, "L1", "proposal"), *(later[1:] if ending == "deleted" else later)])
    assert training_rows(*tables, LATER)["outcome"].to_list() == outcome


@pytest.mark.parametrize(("status", "rows"), [("new", 1), ("unknown", 1), ("closed_won", 0), ("closed_lost", 0)])
def test_only_leads_that_are_open_are_learnt_from(status: str, rows: int) -> None:
    tables = silver([lead(T, "L1", status), lead(LATER, "L1", "closed_won", LATER)])
    assert training_rows(*tables, LATER).height == rows


def test_a_month_end_teaches_from_the_day_its_outcome_is_known() -> None:
    tables = silver([lead(T, "L1", "new"), lead(LATER, "L1", "new")])
    assert training_rows(*tables, LATER - timedelta(days=1)).is_empty()
    assert training_rows(*tables, LATER).height == 1


def test_a_month_end_whose_outcome_is_missing_teaches_nothing() -> None:
    assert training_rows(*silver([lead(T, "L1", "new")]), LATER).is_empty()


def test_dates_that_are_no_month_ends_are_left_out() -> None:
    other = T - timedelta(days=1)
    tables = silver([lead(day, "L1", "new") for day in (other, T, other + HORIZON, LATER)])
    assert training_rows(*tables, LATER)["date"].to_list() == [T]


def test_leads_of_no_customer_are_left_out_as_they_are_when_scored() -> None:
    tables = silver([lead(day, "L1", "new", customer_id="C9") for day in (T, LATER)])
    assert training_rows(*tables, LATER).is_empty()


def test_features_are_the_customer_s_without_the_lead_itself() -> None:
    at_t = [
        lead(T, "open", "new", deal_value=9e9),
        lead(T, "won", "closed_won", T, deal_value=1000.0),
        lead(T, "lost", "closed_lost", T),
        lead(T, "elsewhere", "closed_lost", T, customer_id="C2"),
    ]
    touches = [interaction(T - timedelta(days=days)) for days in (15, 20)]
    tables = silver([*at_t, lead(LATER, "open", "new")], touches, ("C1", "C2"))
    row = training_rows(*tables, LATER).row(0, named=True)
    mean = 1 / 3  # one of the tenant's three leads beside the one in question is won
    assert {name: row[name] for name in expert_prior().features} == pytest.approx(
        {
            "log1p_total_revenue": np.log(1001),
            "log1p_total_interactions": np.log(3),
            "engagement": (5 + 2 + 3 * 0.5) / 10,
            "smoothed_win_rate": (1 + 4 * mean) / (2 + 4),
            "smoothed_conversion_rate": (1 + 4 * mean) / (2 + 4),
            "silent_months": 0.5,
        }
    )


def test_a_customer_of_whom_nothing_is_known_has_features() -> None:
    row = training_rows(*silver([lead(T, "L1", "new"), lead(LATER, "L1", "new")]), LATER).row(0, named=True)
    base_rate = expert_prior().base_rate
    assert [row[name] for name in expert_prior().features] == [0, 0, 0, base_rate, base_rate, 6]


@pytest.mark.parametrize(
    "unknown",
    [
        interaction(T, ingest=T + timedelta(days=1)),
        interaction(T + timedelta(days=1)),
        interaction(T - timedelta(days=365)),
    ],
)
def test_what_was_not_known_by_the_month_end_is_not_learnt_from(unknown: dict[str, Any]) -> None:
    leads = [lead(T, "L1", "new"), lead(LATER, "L1", "closed_won", LATER)]
    known = [interaction(T - timedelta(days=9))]
    before, after = training_rows(*silver(leads, known), LATER), training_rows(*silver(leads, [*known, unknown]), LATER)
    assert_frame_equal(before, after)
    assert before["log1p_total_interactions"].to_list() == [np.log1p(1)]


def test_an_oracle_among_later_rows_does_not_help() -> None:
    """Interactions that land after each month end tell the outcome; a model that saw them would be promoted."""
    last = date(2025, 12, 31)
    tables = crm(0.0, last=last)
    days_before = pl.LazyFrame({"days": range(1, 81)})
    told = (
        tables.leads.filter(pl.col("status") == "closed_won")
        .unique("lead_id")
        .join(days_before, how="cross")
        .with_columns((pl.col("closed_date") - pl.duration(days="days")).alias("date"))
        .select(
            "date",
            pl.format("oracle-{}-{}", "lead_id", "days").alias("interaction_id"),
            "customer_id",
            "lead_id",
            pl.lit("call").alias("channel"),
            pl.lit("positive").alias("outcome"),
            pl.col("date").cast(pl.Datetime("us", "UTC")).alias("interaction_at"),
            (pl.col("closed_date") + timedelta(days=1)).alias("_ingest_date"),
        )
    )
    leaking = told.with_columns(pl.col("date").alias("_ingest_date"))
    with_oracle = tables._replace(interactions=pl.concat([tables.interactions, told]))
    with_leak = tables._replace(interactions=pl.concat([tables.interactions, leaking]))
    assert champion(trained(with_oracle, last))["kind"] == "base_rate"
    assert champion(trained(with_leak, last))["kind"] != "base_rate"


def test_training_and_scoring_give_a_customer_the_same_features() -> None:
    last = date(2024, 8, 1)
    tables = crm(1.0, last=last)
    rows = training_rows(*tables, last).filter(pl.col("date") == T)
    known = tables.interactions.filter(pl.col("_ingest_date") <= T)
    at_t = (tables.customers.filter(pl.col("date") == T), tables.leads.filter(pl.col("date") == T), known)
    scored = with_model_features(customer_figures(*at_t, T, T)).collect()
    features = expert_prior().features
    together = rows.join(scored, on=["date", "customer_id"], suffix="_scored")
    assert together.height == rows.height > 0
    assert together.select(features).equals(together.select(pl.col(f"{f}_scored").alias(f) for f in features))


def test_features_of_one_row_and_of_many_are_the_same_to_the_bit() -> None:
    tables = crm(1.0, last=date(2024, 8, 1))
    [figures] = (
        customer_figures(tables.customers.filter(pl.col("date") == T), tables.leads, tables.interactions, T, T)
        .head(1)
        .collect()
        .to_dicts()
    )
    # Polars divides by a constant one way in a single row and another in several.
    days = [figures | {"engagement_score": day / 3, "days_since_last_interaction": day} for day in range(30)]
    own = ["engagement", "silent_months"]
    many = with_model_features(pl.LazyFrame(days)).select(own).collect()
    alone = [with_model_features(pl.LazyFrame([day])).select(own).collect() for day in days]
    assert many.equals(pl.concat(alone))


def test_a_strong_signal_is_promoted_and_noise_is_not() -> None:
    last = date(2025, 12, 31)
    strong, noise = trained(crm(2.0, last=last), last), trained(crm(0.0, last=last), last)
    assert champion(strong)["kind"] == "logistic"
    assert champion(strong)["metrics"]["log_loss"] < champion(strong)["metrics"]["base_rate_log_loss"]
    assert champion(noise)["kind"] == "base_rate"
    assert noise.filter(pl.col("kind") == "logistic")["status"].to_list() == ["challenger"]


def test_a_range_of_dates_gives_each_date_what_it_gets_alone() -> None:
    first, last = date(2024, 9, 26), date(2024, 9, 30)
    tables = crm(1.0, last=last)
    together = trained(tables, first, last)
    assert together["snapshots"].unique().sort().to_list() == [5, 6]
    assert_frame_equal(together, pl.concat([trained(tables, day) for day in Window("acme", first, last).dates()]))


def test_the_same_rows_in_any_order_and_with_more_dates_give_the_same_bytes() -> None:
    last = date(2024, 12, 31)
    tables = crm(1.5, last=last)
    shuffled = Silver(*(frame.collect().sample(fraction=1, shuffle=True, seed=1).lazy() for frame in tables))
    more = crm(1.5, last=last)
    extra = more.leads.filter(pl.col("date") == T).with_columns(date=pl.lit(T + timedelta(days=1)))
    assert_frame_equal(trained(shuffled, last), trained(tables, last))
    assert_frame_equal(trained(tables._replace(leads=pl.concat([tables.leads, extra])), last), trained(tables, last))


def test_tenants_trained_one_after_the_other_share_nothing() -> None:
    last = date(2024, 12, 31)
    acme, globex = crm(1.5, last=last, seed=1), crm(-1.5, last=last, seed=2)
    before = trained(acme, last)
    other = trained(globex, last, tenant="globex")
    assert_frame_equal(trained(acme, last), before)
    assert not set(other["model_version"]) & set(before["model_version"])


def test_without_a_closed_deal_the_prior_gives_the_number() -> None:
    models = trained(NOTHING, START, START + timedelta(days=2))
    assert models.schema == SCHEMA
    assert models.filter(pl.col("status") == "champion").select("date", "kind", "evidence_level", "rows").rows() == [
        (START + timedelta(days=n), "base_rate", "prior", 0) for n in range(3)
    ]
    assert models["metrics"].to_list() == [None] * 6


def figures(day: date, **given: Any) -> dict[str, Any]:
    row = {"date": day, "customer_id": "C1", "total_interactions": 3, "engagement_score": 7.0, "total_revenue": 500.0}
    counts = {"num_closed_won": 1, "num_closed_lost": 1, "num_open_deals": 1, "days_since_last_interaction": 4}
    return row | counts | given


def test_an_open_deal_gets_the_champion_s_number_and_version_and_no_deal_gets_none() -> None:
    models = trained(NOTHING, T)
    rows = [figures(T), figures(T, customer_id="C2", num_open_deals=0)]
    scored = with_probability(pl.LazyFrame(rows), models.lazy(), Window("acme", T, T)).collect()
    assert scored["probability_to_convert"].to_list() == [expert_prior().base_rate, None]
    assert scored["probability_model"].to_list() == [champion(models)["model_version"], None]
    assert set(scored.columns) == {*rows[0], "probability_to_convert", "probability_model"}


def test_each_date_is_scored_by_its_own_champion_as_if_alone() -> None:
    last = date(2025, 12, 31)
    learnt = trained(crm(2.0, last=last), last)
    next_day = last + timedelta(days=1)
    models = pl.concat([learnt, trained(NOTHING, next_day)]).lazy()
    rows = [
        figures(day, customer_id=f"C{n}", num_closed_won=n, num_open_deals=1 + n % 2, engagement_score=float(n))
        for day in (last, next_day)
        for n in range(11)
    ]
    together = with_probability(pl.LazyFrame(rows), models, Window("acme", last, next_day)).collect()
    alone = [
        with_probability(pl.LazyFrame(rows).filter(pl.col("date") == day), models, Window("acme", day, day)).collect()
        for day in (last, next_day)
    ]
    assert_frame_equal(together, pl.concat(alone), check_exact=True)
    assert together["probability_model"].n_unique() == 2
    assert (alone[0]["probability_to_convert"].diff().drop_nulls() > 0).all()
    assert alone[1]["probability_to_convert"].unique().to_list() == [expert_prior().base_rate]


def test_a_date_without_a_champion_is_refused_by_date() -> None:
    models = trained(NOTHING, T).lazy()
    with pytest.raises(ModelError, match="acme on 2024-02-01"):
        with_probability(pl.LazyFrame([figures(T)]), models, Window("acme", T, T + timedelta(days=1)))


def test_the_dates_that_are_read_are_the_month_ends_and_their_outcomes() -> None:
    assert SNAPSHOTS.dates(LATER, START) == [T, LATER]
    assert SNAPSHOTS.dates(LATER - timedelta(days=1), START) == []
    assert HISTORY.dates(LATER, START)[-1] == T
