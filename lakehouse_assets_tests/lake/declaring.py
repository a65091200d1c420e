"""What the tests of declarations declare, and how they see that it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.lake.contract import Contract
from lakehouse_assets.lake.errors import ContractError
from lakehouse_assets.lake.table import (
    Reference,
    table,
)

TO_GAUGES = Reference("gauge_id", "silver_gauges")


def refused(contract: type[Contract], function: Callable[..., Any], message: str, **options: Any) -> None:
    with pytest.raises(ContractError, match=message):
        table(contract, **options)(function)


def gold_figures(bronze_gauges: pl.LazyFrame) -> pl.LazyFrame:
    return bronze_gauges


def contract_of(base: type[Contract], **attributes: Any) -> type[Contract]:
    """The contract with these columns (text) and rules more."""
    columns = [name for name, given in attributes.items() if not isinstance(given, classmethod)]
    described = {"__doc__": "One row.", "__module__": __name__, "__annotations__": dict.fromkeys(columns, str)}
    return type(base.__name__, (base,), {**described, **attributes})


def rule_of(action: Callable[[Any], Any], name: str = "rule") -> Any:
    def rule(_cls: Any) -> pl.Expr:
        """Something is wrong."""
        return pl.col("gauge_id") != name

    rule.__name__ = name
    return action(rule)
