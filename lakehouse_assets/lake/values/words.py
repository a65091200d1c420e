"""Words: free text, codes and names.

Belongs here: cleaning that all other values start from. Not here: types other than String.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import product

import polars as pl

NULL_WORDS = ("", "null", "na", "n/a", "none", "nan", "-")
# In every letter case: looking a value up is much cheaper than lowering it.
_NULL_SPELLINGS = tuple(
    "".join(letters) for word in NULL_WORDS for letters in product(*(sorted({c, c.upper()}) for c in word))
)
_ASCII_SPACE = r"[\t-\r ]"
_UNTIDY_SPACE = r"^\s|\s$|\s\s|[^\S ]"
_PLAIN_NAME = r"^[a-z0-9]+( [a-z0-9]+)*$"


def expression(column: str | pl.Expr) -> pl.Expr:
    """The expression that a column's name, or an expression, stands for."""
    return pl.col(column) if isinstance(column, str) else column


def by_batch(column: str | pl.Expr, function: Callable[[pl.Series], pl.Series], dtype: pl.DataType) -> pl.Expr:
    """Apply a function of whole Series, row by row independent, so that it may skip what a batch does not need."""
    return expression(column).map_batches(function, return_dtype=dtype, is_elementwise=True)


def change_where(values: pl.Series, mask: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Change the rows of the mask and leave the others as they are."""
    if not mask.any():
        return values
    rows = mask.arg_true()
    return values.clone().scatter(rows, change(values.gather(rows)))


def tidy(values: pl.Series) -> pl.Series:
    """NFKC, trimmed, inner white space collapsed, null words null; each step only on the rows that need it."""
    values = values.cast(pl.String)
    unusual = (values.str.len_bytes() != values.str.len_chars()) | values.str.contains(_ASCII_SPACE)
    values = change_where(values, unusual, _composed)
    return change_where(values, values.is_in(_NULL_SPELLINGS), lambda v: pl.Series([None] * v.len(), dtype=pl.String))


def _composed(values: pl.Series) -> pl.Series:
    values = values.str.normalize("NFKC")
    return change_where(
        values,
        values.str.contains(_UNTIDY_SPACE),
        lambda v: v.str.replace_all(r"\s+", " ").str.strip_chars(" "),
    )


def plain_first(
    column: str | pl.Expr, plain: pl.Expr, read: Callable[[pl.Series], pl.Series], dtype: pl.DataType
) -> pl.Expr:
    """What `plain` gives, and where that is null what `read` gives of the text.

    `plain` runs in the stream without Python; it must give either null or what `read` gives.
    """

    def both(given: Sequence[pl.Series]) -> pl.Series:
        texts, found = given
        left = (found.is_null() & texts.is_not_null()).arg_true()
        return found if left.is_empty() else found.clone().scatter(left, read(texts.gather(left)))

    return pl.map_batches([expression(column), plain], both, return_dtype=dtype, is_elementwise=True)


def text(column: str | pl.Expr) -> pl.Expr:
    """Free text: NFKC, trimmed, inner white space one space; empty and the words for nothing are null."""
    return by_batch(column, tidy, pl.String())


def cleaned(column: str | pl.Expr) -> pl.Expr:
    """What parsing starts from: a value whose typed column is null though this is not does not parse."""
    return text(column)


def lower_text(column: str | pl.Expr) -> pl.Expr:
    """Free text in lower case."""
    return text(column).str.to_lowercase()


def code(column: str | pl.Expr) -> pl.Expr:
    """A code: lower case, each run of other characters than letters and digits one `_`."""

    def coded(values: pl.Series) -> pl.Series:
        # Codes repeat, and telling the distinct ones is far cheaper than spelling them all.
        distinct = values.unique()
        if len(distinct) * 10 > len(values):
            return spelled(values)
        return values.replace_strict(distinct, spelled(distinct), return_dtype=pl.String)

    def spelled(values: pl.Series) -> pl.Series:
        lower = tidy(values).str.to_lowercase()
        return lower.str.replace_all(r"[^\p{L}\p{N}]+", "_")

    return by_batch(column, coded, pl.String())


def one_of(value: str | pl.Expr, allowed: Collection[str], otherwise: str) -> pl.Expr:
    """The value where it is allowed; `otherwise` in place of null and of all else."""
    value = expression(value)
    return pl.when(value.is_in(sorted(allowed))).then(value).otherwise(pl.lit(otherwise))


def normalized_name(column: str | pl.Expr) -> pl.Expr:
    """A name to match on: lower case letters and digits of any script and single spaces, all else dropped."""

    def normalized(values: pl.Series) -> pl.Series:
        values = tidy(values).str.to_lowercase()
        return change_where(values, ~values.str.contains(_PLAIN_NAME), reduced)

    def reduced(values: pl.Series) -> pl.Series:
        kept = values.str.replace_all(r"[^\p{L}\p{N} ]+", "")
        return _emptied(kept.str.replace_all(" +", " ").str.strip_chars(" "))

    return by_batch(column, normalized, pl.String())


def _emptied(values: pl.Series) -> pl.Series:
    return values.set(values == "", None)
