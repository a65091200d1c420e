"""How tests of values read them: through a streaming query, as the lake does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl


def parsed(expression: pl.Expr, texts: Sequence[str | None]) -> list[Any]:
    """What an expression of the column `v` makes of the texts."""
    frame = pl.LazyFrame({"v": texts}, schema={"v": pl.String})
    result: list[Any] = frame.select(expression).collect(engine="streaming")["v"].to_list()
    return result


def one(expression: pl.Expr, text: str | None) -> Any:
    """What an expression of the column `v` makes of one text."""
    return parsed(expression, [text])[0]
