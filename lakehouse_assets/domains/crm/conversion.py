"""The probability that an open deal closes as won: what it is learnt from, and how a customer gets it.

Belongs here: the label and the features of the crm conversion model, the rows of `platinum_conversion_model`, and
scoring. Not here: the statistics (`lakehouse_assets.models`), what an expert holds before any data
(`conversion_prior`), and the customers' figures (`features`), of which one function serves training and scoring.

Every figure of a lead is the customer's without that lead. An open lead adds no win, no loss and no revenue, so it is
left out of the number of leads only; open deals of one customer therefore look alike and share one probability.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from lakehouse_assets.domains.crm.conversion_prior import expert_prior
from lakehouse_assets.domains.crm.features import TRAILING_DAYS, customer_figures
from lakehouse_assets.lake.code_version import code_version
from lakehouse_assets.lake.partitions import MaturedMonthEnds, Window
from lakehouse_assets.models.artefact import load
from lakehouse_assets.models.errors import ModelError
from lakehouse_assets.models.ladder import Candidate, TrainingRows, contest

HORIZON_DAYS = 90
HORIZON = timedelta(days=HORIZON_DAYS)
# What the model reads: each matured month end t and t + 90 days, and the interactions of the year up to t.
SNAPSHOTS = MaturedMonthEnds(horizon=HORIZON_DAYS)
HISTORY = MaturedMonthEnds(horizon=HORIZON_DAYS, history=TRAILING_DAYS)

SMOOTHING = 4  # leads at the tenant's mean that every customer starts with
LONGEST_SILENCE_DAYS = 180
CLOSED = ("closed_won", "closed_lost")

METRICS = pl.Struct(
    {
        "rows": pl.Int64(),
        "positives": pl.Int64(),
        "log_loss": pl.Float64(),
        "log_loss_error": pl.Float64(),
        "base_rate_log_loss": pl.Float64(),
        "gain": pl.Float64(),
        "gain_error": pl.Float64(),
        "brier_skill": pl.Float64(),
        "ece": pl.Float64(),
    }
)
SCHEMA = pl.Schema(
    {
        "date": pl.Date(),
        "kind": pl.String(),
        "status": pl.String(),
        "model_version": pl.String(),
        "evidence_level": pl.String(),
        "rows": pl.Int64(),
        "positives": pl.Int64(),
        "snapshots": pl.Int64(),
        "last_snapshot": pl.Date(),
        "metrics": METRICS,
        "verdict": pl.String(),
        "features": pl.List(pl.String()),
        "artefact": pl.Binary(),
    }
)


def with_model_features(figures: pl.LazyFrame) -> pl.LazyFrame:
    """Add the model's features to customers' figures, for one open deal of each customer.

    `figures` has one row per date and customer, all customers of the tenant on each date. Where no lead of the tenant
    is closed, the smoothed rates start from the prior's base rate.
    """
    won, closed = pl.col("num_closed_won"), pl.col("num_closed_won") + pl.col("num_closed_lost")
    others = closed + pl.col("num_open_deals") - 1
    tenant_won, tenant_closed = won.sum().over("date"), closed.sum().over("date")
    tenant_others = tenant_closed + pl.col("num_open_deals").sum().over("date") - 1
    silent_days = pl.col("days_since_last_interaction")
    base_rate = expert_prior().base_rate

    def mean(divisor: pl.Expr) -> pl.Expr:
        return pl.when(divisor > 0).then(tenant_won / divisor).otherwise(base_rate)

    return figures.with_columns(
        pl.col("total_revenue").log1p().alias("log1p_total_revenue"),
        pl.col("total_interactions").cast(pl.Float64).log1p().alias("log1p_total_interactions"),
        (pl.col("engagement_score") * 0.1).alias("engagement"),
        ((won + SMOOTHING * mean(tenant_closed)) / (closed + SMOOTHING)).alias("smoothed_win_rate"),
        ((won + SMOOTHING * mean(tenant_others)) / (others + SMOOTHING)).alias("smoothed_conversion_rate"),
        (silent_days.fill_null(LONGEST_SILENCE_DAYS).clip(0, LONGEST_SILENCE_DAYS) * (1 / 30)).alias("silent_months"),
    )


def training_rows(
    silver_leads_clean: pl.LazyFrame,
    silver_interactions_clean: pl.LazyFrame,
    silver_customers_clean: pl.LazyFrame,
    last: date,
) -> pl.DataFrame:
    """One row per month end t with t + 90 days ≤ `last` and lead open at t: the features as known at t, and `outcome`.

    The outcome is read from the snapshot of t + 90 days, so that it is the same on every training date: 1 when the
    lead is won there and its closing lies after t. A win without a closing date counts, since the two snapshots
    enclose it; a lead of which it turns out that it had closed by t was not open, and is no row; a lead deleted
    meanwhile was not won. A month end without a snapshot 90 days on teaches nothing. Sorted by date and lead_id.
    """
    present = set(silver_leads_clean.select(pl.col("date").unique()).collect()["date"])
    matured = [
        day for day in sorted(present) if _is_month_end(day) and day + HORIZON <= last and day + HORIZON in present
    ]
    columns = ("date", "lead_id", "customer_id", "outcome", *expert_prior().features)
    found = [
        pl.DataFrame(
            schema=dict.fromkeys(columns, pl.Float64)
            | {"date": pl.Date, "lead_id": pl.String, "customer_id": pl.String}
        )
    ]
    for day in matured:
        # One month end at a time, so that memory does not grow with history.
        customers = silver_customers_clean.filter(pl.col("date") == day)
        leads = silver_leads_clean.filter(pl.col("date") == day)
        interactions = silver_interactions_clean.filter(pl.col("_ingest_date") <= day)
        figures = with_model_features(customer_figures(customers, leads, interactions, day, day))
        open_leads = _open_leads(leads, silver_leads_clean.filter(pl.col("date") == day + HORIZON))
        found.append(open_leads.join(figures, on=["date", "customer_id"], how="inner").select(columns).collect())
    return pl.concat(found).sort("date", "lead_id")


def conversion_model(
    silver_leads_clean: pl.LazyFrame,
    silver_interactions_clean: pl.LazyFrame,
    silver_customers_clean: pl.LazyFrame,
    window: Window,
) -> pl.LazyFrame:
    """The contest of each date of `window`: one row per candidate, one of them champion.

    A date learns from the month ends that have matured by then, so dates between two of these share one contest.
    """
    rows = training_rows(silver_leads_clean, silver_interactions_clean, silver_customers_clean, window.last)
    snapshots = rows["date"].unique().sort().to_list()
    version = code_version(conversion_model)
    contests: dict[int, list[dict[str, Any]]] = {}
    found: list[dict[str, Any]] = []
    for day in window.dates():
        matured = sum(snapshot + HORIZON <= day for snapshot in snapshots)
        if matured not in contests:
            known = rows.filter(pl.col("date").is_in(snapshots[:matured]))
            candidates = contest(_arrays(known), expert_prior(), horizon_days=HORIZON_DAYS, code_version=version)
            contests[matured] = [_row(candidate, snapshots[:matured]) for candidate in candidates]
        found.extend({"date": day} | row for row in contests[matured])
    return pl.LazyFrame(found, schema=SCHEMA)


def with_probability(features: pl.LazyFrame, models: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    """Add `probability_to_convert` and `probability_model` to customers' features, by each date's champion.

    Both are null for a customer without an open deal. Raises ModelError when a date of `window` has no champion.
    """
    champions = models.filter(pl.col("status") == "champion", pl.col("date").is_between(window.first, window.last))
    by_date = champions.select("date", pl.col("model_version").alias("probability_model")).collect()
    if missing := sorted(set(window.dates()) - set(by_date["date"])):
        raise ModelError(
            f"crm.platinum.conversion_model has no champion for {window.tenant_id} on {missing[0]} "
            f"({len(missing)} dates in all): build it for the dates first"
        )
    models_used = champions.select("model_version", "kind", "artefact").unique("model_version").collect()
    models_of = {version: load(kind, artefact) for version, kind, artefact in models_used.iter_rows()}
    inputs = expert_prior().features

    def score(rows: pl.Series) -> pl.Series:
        frame = rows.struct.unnest()
        matrix, versions = frame.select(inputs).to_numpy(), frame["probability_model"]
        scored = np.full(len(frame), math.nan)
        for version in versions.unique().drop_nulls():
            mask = (versions == version).fill_null(value=False).to_numpy()
            scored[mask] = models_of[version].predict(matrix[mask])
        return pl.Series(scored, nan_to_null=True)

    open_deals = pl.col("num_open_deals") > 0
    return (
        with_model_features(features)
        .join(by_date.lazy(), on="date", how="left", maintain_order="left")
        .with_columns(pl.when(open_deals).then("probability_model"))
        .with_columns(
            pl.struct(*inputs, "probability_model")
            .map_batches(score, return_dtype=pl.Float64, is_elementwise=True)
            .alias("probability_to_convert")
        )
        .drop(inputs)
    )


def _is_month_end(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def _open_leads(leads: pl.LazyFrame, later: pl.LazyFrame) -> pl.LazyFrame:
    """The leads open at a snapshot, with the outcome that the snapshot 90 days `later` shows."""
    endings = later.filter(pl.col("status").is_in(CLOSED)).select(
        "lead_id", pl.col("status").alias("ending"), pl.col("closed_date").alias("ended")
    )
    in_time = pl.col("ended").is_null() | (pl.col("ended") <= pl.col("date") + HORIZON)
    return (
        leads.filter(~pl.col("status").is_in(CLOSED))
        .select("date", "lead_id", "customer_id")
        .join(endings, on="lead_id", how="left")
        .filter(pl.col("ended").is_null() | (pl.col("ended") > pl.col("date")))
        .with_columns((pl.col("ending").eq_missing("closed_won") & in_time).cast(pl.Float64).alias("outcome"))
    )


def _arrays(rows: pl.DataFrame) -> TrainingRows:
    """Ids become their rank among these rows, so that the digest does not depend on rows beyond them."""

    def codes(column: str) -> Any:
        return rows[column].rank("dense").cast(pl.Int64).to_numpy()

    return TrainingRows(
        inputs=np.ascontiguousarray(rows.select(expert_prior().features).to_numpy()),
        outcome=rows["outcome"].to_numpy(),
        snapshots=rows["date"].to_numpy().astype("datetime64[D]"),
        units=codes("lead_id"),
        groups=codes("customer_id"),
    )


def _row(candidate: Candidate, snapshots: list[date]) -> dict[str, Any]:
    return {
        "kind": candidate.kind,
        "status": candidate.status,
        "model_version": candidate.model_version,
        "evidence_level": candidate.evidence_level,
        "rows": candidate.rows,
        "positives": candidate.positives,
        "snapshots": len(snapshots),
        "last_snapshot": snapshots[-1] if snapshots else None,
        "metrics": candidate.metrics._asdict() if candidate.metrics else None,
        "verdict": candidate.verdict,
        "features": list(candidate.model.features),
        "artefact": candidate.model.to_bytes(),
    }
