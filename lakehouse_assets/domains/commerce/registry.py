"""The register of features: what a table of features promises, as rows, and how well it keeps it on a date.

Belongs here: from a contract and its rows to the register. Not here: contracts (`gold_ml`).
"""

from __future__ import annotations

import polars as pl

from lakehouse_assets.lake.contract import Column, Contract, columns_of
from lakehouse_assets.lake.partitions import Window

# What stands beside features in their table, and ends the name of what explains a one-hot list.
ABOUT_ROWS = ("snapshot_date", "feature_version")
ONE_HOT, LEVELS = "_one_hot", "_levels"


def features_of(contract: type[Contract]) -> list[Column]:
    """The columns of a contract that are features: neither key, nor about the row, nor levels of another column."""
    return [
        column
        for column in columns_of(contract)
        if not (column.is_key or column.name in ABOUT_ROWS or column.name.endswith(LEVELS))
    ]


def registered(
    rows: pl.LazyFrame, contract: type[Contract], entity: str, source_table: str, version: str, window: Window
) -> pl.LazyFrame:
    """One row per date of the window and feature of the contract, also on a date without rows."""
    features = features_of(contract)
    meanings = pl.LazyFrame(
        [(entity, f.name, str(f.dtype), f.unit, f.description, version, source_table) for f in features],
        schema=dict.fromkeys(
            ("entity", "feature", "type", "unit", "description", "version", "source_table"), pl.String()
        ),
        orient="row",
    )
    counted = pl.concat([_filling(rows, feature) for feature in features])
    dates = pl.LazyFrame({"date": window.dates()}, schema={"date": pl.Date})
    return (
        dates.join(meanings, how="cross")
        .join(counted, on=["date", "feature"], how="left")
        .with_columns(pl.col("entities").fill_null(0))
        .sort("date", "entity", "feature")
    )


def _filling(rows: pl.LazyFrame, feature: Column) -> pl.LazyFrame:
    """On each date with rows: how many, the share of them without a value, and a one-hot list's levels."""
    name = feature.name
    nothing = pl.lit(None, pl.List(pl.String))
    levels = pl.col(name.removesuffix(ONE_HOT) + LEVELS).first() if name.endswith(ONE_HOT) else nothing
    return rows.group_by("date").agg(
        pl.lit(name).alias("feature"),
        pl.len().cast(pl.Int64).alias("entities"),
        pl.col(name).is_null().mean().alias("null_share"),
        levels.alias("levels"),
    )
