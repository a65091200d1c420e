"""The feature registry: everything from the contract, and how well each feature is filled."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl

from lakehouse_assets.domains.commerce.gold_ml import FEATURES, MlCustomerFeatures, gold_feature_registry
from lakehouse_assets.domains.commerce.ml_features import FEATURE_VERSION
from lakehouse_assets.domains.commerce.registry import features_of
from lakehouse_assets.house import tables
from lakehouse_assets.lake.contract import columns_of
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Window

D = date(2026, 1, 5)
DAY = timedelta(days=1)
SCHEMA = {"date": pl.Date(), **{column.name: column.dtype for column in columns_of(MlCustomerFeatures)}}


def registry(rows: list[dict[str, Any]], last: date = D) -> dict[tuple[date, str], dict[str, Any]]:
    found = gold_feature_registry(pl.LazyFrame(rows, SCHEMA), Window("acme", D, last)).collect(engine="streaming")
    assert (found["date"].n_unique(), found.height) == ((last - D).days + 1, found.select("date", "feature").n_unique())
    return {(row["date"], row["feature"]): row for row in found.to_dicts()}


def customer(customer_id: str, **features: object) -> dict[str, Any]:
    levels = {"region_levels": ["APAC", "EMEA"], "region_one_hot": [1, 0]}
    return {"date": D, "customer_id": customer_id, **levels, **features}


def test_every_feature_of_the_contract_is_registered_with_what_the_contract_says() -> None:
    found = registry([customer("C1")])
    assert {feature for _, feature in found} == {column.name for column in features_of(MlCustomerFeatures)}
    assert {"recency_days", "monetary", "revenue_trend", "anomalies_30d", "region_one_hot"} < {f for _, f in found}
    assert not {"customer_id", "snapshot_date", "feature_version", "region_levels"} & {f for _, f in found}
    for column in features_of(MlCustomerFeatures):
        row = found[D, column.name]
        assert (row["type"], row["unit"], row["description"]) == (str(column.dtype), column.unit, column.description)
        assert (row["entity"], row["version"], row["source_table"]) == ("customer", FEATURE_VERSION, FEATURES)


def test_the_source_table_is_the_one_that_is_read() -> None:
    (read,) = tables()[TableName("commerce", "gold", "feature_registry")].reads
    assert str(read) == FEATURES


def test_shares_of_nulls_and_levels_are_those_of_the_date() -> None:
    rows = [customer("C1", recency_days=3), customer("C2"), customer("C3"), customer("C4", recency_days=1)]
    found = registry([*rows, customer("C1") | {"date": D + DAY}], D + 2 * DAY)
    recency = [found[day, "recency_days"] for day in (D, D + DAY, D + 2 * DAY)]
    assert [(row["entities"], row["null_share"]) for row in recency] == [(4, 0.5), (1, 1.0), (0, None)]
    assert found[D, "region_one_hot"]["levels"] == ["APAC", "EMEA"]
    assert found[D, "region"]["levels"] is None
    assert found[D + 2 * DAY, "region_one_hot"]["levels"] is None
