"""crm platinum: models that are learnt from the lake.

Belongs here: the contract of the conversion model. Not here: what it is learnt from (`conversion`), and the statistics
(`lakehouse_assets.models`).
"""

from __future__ import annotations

import polars as pl

from lakehouse_assets.domains.crm import conversion
from lakehouse_assets.domains.crm.conversion import HISTORY, METRICS, SNAPSHOTS
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.partitions import Window
from lakehouse_assets.lake.table import table


class ConversionModel(Contract):
    """One row per candidate of the contest on the training date; one of them is the champion."""

    kind: str = column("What the model is", key=True, isin=["base_rate", "logistic", "xgboost"])
    status: str = column("Whether the model gives the probabilities of this date", isin=["champion", "challenger"])
    model_version: str = column("SHA-256 of artefact, features, code version and training rows")
    evidence_level: str = column("What the model rests on", isin=["prior", "blended", "data"])
    rows: int = column("Training rows: open leads at matured month ends", unit="rows", ge=0)
    positives: int = column("Training rows that closed as won within 90 days", unit="rows", ge=0)
    snapshots: int = column("Month ends that the rows come from", ge=0)
    last_snapshot: pl.Date = column("The newest of these month ends; null where there is none", nullable=True)
    metrics: pl.Struct = column(
        "Out-of-time figures: log loss and its standard error, Brier skill, calibration error; null where not judged",
        nullable=True,
        dtype_kwargs={"fields": dict(METRICS.to_schema())},
    )
    verdict: str = column("Why the candidate was promoted or not")
    features: pl.List = column(
        "Names of the features, in the order of the coefficients", dtype_kwargs={"inner": pl.String()}
    )
    artefact: pl.Binary = column("The model: JSON, or UBJ for XGBoost")


@table(
    ConversionModel,
    windows={
        "silver_leads_clean": SNAPSHOTS,
        "silver_customers_clean": SNAPSHOTS,
        "silver_interactions_clean": HISTORY,
    },
    carries_forward=True,
)
def platinum_conversion_model(
    silver_leads_clean: pl.LazyFrame,
    silver_interactions_clean: pl.LazyFrame,
    silver_customers_clean: pl.LazyFrame,
    window: Window,
) -> pl.LazyFrame:
    """A bigger model speaks only once it has shown, out of time, that it knows more than a smaller one."""
    return conversion.conversion_model(silver_leads_clean, silver_interactions_clean, silver_customers_clean, window)
