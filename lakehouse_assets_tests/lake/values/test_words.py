"""Text, codes and names against references in plain Python, and the contract's own examples."""

# ruff: noqa: RUF001 (letters that look alike are what is tested)

from __future__ import annotations

import re
import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.lake import values
from lakehouse_assets_tests.lake.values.reading import one, parsed

SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
ANY_CHARACTER = st.characters(exclude_categories=("Cs", "Cn")) | st.sampled_from(SPACE + "-_aAİßΣςﬁ½²Å①é")
NOTHING = st.sampled_from(["", "NULL", "Na", "n/A", "None", "NaN", "-", "ＮＵＬＬ"])
WORDS = st.lists(st.none() | NOTHING | st.text(ANY_CHARACTER, max_size=12), max_size=8)


def text_of(value: str | None) -> str | None:
    if value is None:
        return None
    tidy = re.sub(f"[{SPACE}\u2004-\u2008]+", " ", unicodedata.normalize("NFKC", value)).strip(" ")
    return None if tidy.lower() in {"", "null", "na", "n/a", "none", "nan", "-"} else tidy


def is_letter_or_digit(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def code_of(value: str | None) -> str | None:
    spelled = "".join(c if is_letter_or_digit(c) else "_" for c in (text_of(value) or "").lower())
    return re.sub("_+", "_", spelled) or None


def name_of(value: str | None) -> str | None:
    kept = "".join(c for c in (text_of(value) or "").lower() if is_letter_or_digit(c) or c == " ")
    return " ".join(word for word in kept.split(" ") if word) or None


@given(WORDS)
def test_text_is_normalized_trimmed_collapsed_and_null_where_it_says_nothing(words: list[str | None]) -> None:
    assert parsed(values.text("v"), words) == [text_of(word) for word in words]
    assert parsed(values.cleaned("v"), words) == [text_of(word) for word in words]


@given(WORDS)
def test_codes_are_lower_case_letters_and_digits_joined_by_single_underscores(words: list[str | None]) -> None:
    assert parsed(values.code("v"), words) == [code_of(word) for word in words]
    assert parsed(values.code("v"), words * 20) == [code_of(word) for word in words] * 20


@given(WORDS)
def test_normalized_names_keep_letters_digits_and_single_spaces_of_any_script(words: list[str | None]) -> None:
    assert parsed(values.normalized_name("v"), words) == [name_of(word) for word in words]


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        (values.text("v"), " Ａcme\u00a0\u2003Corp\n ", "Acme Corp"),
        (values.text("v"), "Zoë Ωmega", "Zoë Ωmega"),
        (values.lower_text("v"), " Health  CARE ", "health care"),
        (values.code("v"), "Closed-Won", "closed_won"),
        (values.code("v"), "WhatsApp", "whatsapp"),
        (values.code("v"), " (Très) Bien! ", "_très_bien_"),
        (values.code("v"), "--", "_"),
        (values.normalized_name("v"), "O'Brien & Söhne, Inc.", "obrien söhne inc"),
        (values.normalized_name("v"), "東京  電力", "東京 電力"),
    ],
)
def test_examples_of_words(expression: pl.Expr, value: str, expected: object) -> None:
    assert one(expression, value) == expected


def test_one_of_gives_otherwise_for_null_and_for_all_else() -> None:
    channel = values.one_of(values.code("v"), {"call", "email"}, "other")
    assert parsed(channel, ["Call", "E-Mail", "email", None, "n/a"]) == ["call", "other", "email", "other", "other"]


def test_expressions_keep_the_name_of_their_column_and_its_rows() -> None:
    frame = pl.LazyFrame({"a": ["1", None], "b": ["x  y", "-"]})
    result = frame.with_columns(values.number(pl.col("a")), values.text("b"), c=values.integer("a")).collect()
    assert result.to_dict(as_series=False) == {"a": [1.0, None], "b": ["x y", None], "c": [1, None]}
    assert result.schema == frame.with_columns(values.number("a"), c=values.integer("a")).collect_schema()
