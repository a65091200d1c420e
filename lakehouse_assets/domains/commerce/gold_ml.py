"""commerce gold for models: customers' features as each date knew them, and the register of what they mean.

Belongs here: the contracts; the register follows from the features' contract, so that no name is written twice. Not
here: the formulas (`ml_features`).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from lakehouse_assets.domains.commerce.customers import RECENT_DAYS, TRAILING_DAYS
from lakehouse_assets.domains.commerce.ml_features import (
    FEATURE_VERSION,
    Inputs,
    customer_features,
    with_one_hot,
)
from lakehouse_assets.domains.commerce.registry import registered
from lakehouse_assets.lake.contract import Contract, column
from lakehouse_assets.lake.partitions import Window, trailing
from lakehouse_assets.lake.table import table

ENTITY = "customer"
FEATURES = "commerce.gold.ml_customer_features"
INTEGERS = {"inner": pl.Int8()}
NAMES = {"inner": pl.String()}


class MlCustomerFeatures(Contract):
    """One row per customer: its features as known by the end of the date, whatever has landed since.

    Figures without a span in their name are of the 365 days to the date. Of several versions of a row the newest that
    had landed counts. One-hot lists are aligned with their levels, which are the tenant's on the date, sorted.
    """

    customer_id: str = column("Customer", key=True)
    snapshot_date: pl.Date = column("The date: nothing that landed later is in the row")
    feature_version: str = column("Version of the formulas; models of another version do not fit")
    recency_days: int = column("Days since the last transaction; null without", unit="days", nullable=True, ge=0)
    frequency: int = column("Distinct invoices; a line without an invoice is one of its own", ge=0)
    monetary: Annotated[pl.Decimal, 18, 2] = column("What the customer paid, less refunds", unit="USD")
    tenure_days: int = column("Days from the first registration to the date", unit="days")
    revenue_30d: Annotated[pl.Decimal, 18, 2] = column("Revenue of the 30 days to the date", unit="USD")
    revenue_prior_30d: Annotated[pl.Decimal, 18, 2] = column("Revenue of the 30 days before those", unit="USD")
    revenue_trend: float = column("revenue_30d ÷ revenue_prior_30d; null where that is 0", nullable=True)
    events_30d: int = column("App events in the 30 days to the date", ge=0)
    sessions_30d: int = column("Distinct sessions among them", ge=0)
    anomalies_30d: int = column("Anomalous windows of its devices in the 30 days to the date, as told at once", ge=0)
    region: str = column("Region in upper case; UNKNOWN where the source says none")
    region_one_hot: pl.List = column("1 at the region's place among region_levels", dtype_kwargs=INTEGERS)
    region_levels: pl.List = column("Regions of the tenant's customers", dtype_kwargs=NAMES)
    favourite_category: str = column("Category of most purchase lines; null without", nullable=True)
    favourite_category_one_hot: pl.List = column(
        "1 at its place among favourite_category_levels; all 0 without", dtype_kwargs=INTEGERS
    )
    favourite_category_levels: pl.List = column("Categories of the tenant's products", dtype_kwargs=NAMES)


@table(
    MlCustomerFeatures,
    windows={
        # A clock may run ahead by a day, so that rows land on the day before their own.
        "silver_transaction_versions": trailing(days=TRAILING_DAYS + 1),
        "silver_event_versions": trailing(days=RECENT_DAYS + 1),
        "silver_anomalies_as_known": trailing(days=RECENT_DAYS + 1),
    },
)
def gold_ml_customer_features(
    silver_customers: pl.LazyFrame,
    silver_products: pl.LazyFrame,
    silver_device_assignments: pl.LazyFrame,
    silver_transaction_versions: pl.LazyFrame,
    silver_event_versions: pl.LazyFrame,
    silver_anomalies_as_known: pl.LazyFrame,
    window: Window,
) -> pl.LazyFrame:
    """A model that is trained on what came later is of no use on the day on which it is asked."""
    given = Inputs(
        customers=silver_customers.select("date", "customer_id", "region", "signup_date"),
        products=silver_products,
        assignments=silver_device_assignments,
        transactions=silver_transaction_versions,
        events=silver_event_versions,
        anomalies=silver_anomalies_as_known,
    )
    features = customer_features(given, window.first, window.last).with_columns(
        pl.col("date").alias("snapshot_date"), pl.lit(FEATURE_VERSION).alias("feature_version")
    )
    encoded = with_one_hot(features, "region", silver_customers)
    categories = silver_products.rename({"category": "favourite_category"})
    return with_one_hot(encoded, "favourite_category", categories).sort("date", "customer_id")


class FeatureRegistry(Contract):
    """One row per feature of an entity: what it means, and how well it is filled on the date."""

    entity: str = column("What has the feature", key=True)
    feature: str = column("Feature: the column of that name in the table of features", key=True)
    type: str = column("Type of its values, as Polars names it")
    unit: str = column("Unit of its values", nullable=True)
    description: str = column("What it means")
    version: str = column("Version of the formulas, the feature_version of the rows")
    source_table: str = column("Table that holds it")
    levels: pl.List = column(
        "What the places of a one-hot list stand for; null for others", nullable=True, dtype_kwargs=NAMES
    )
    entities: int = column("Rows of the table on the date", ge=0)
    null_share: float = column(
        "Share of them without a value; null without rows", nullable=True, in_range={"min_value": 0, "max_value": 1}
    )


@table(FeatureRegistry)
def gold_feature_registry(gold_ml_customer_features: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    """Whoever trains a model reads here what there is, and whether it is worth having."""
    return registered(gold_ml_customer_features, MlCustomerFeatures, ENTITY, FEATURES, FEATURE_VERSION, window)
