"""Scores of a search: by hand, against plain Python, and what stands in a snippet."""

from __future__ import annotations

import math
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.models.search import bm25, search_scores, snippet, term_frequencies, z_scored
from lakehouse_assets.models.terms import term_counts, terms_of

WORDS = st.lists(st.sampled_from(["pump", "Pumpe", "heat", "night", "PUMP", "pumps", "12", "."]), max_size=12)


def test_bm25_is_by_hand() -> None:
    found = bm25(np.array([[2.0], [0.0], [1.0]]), np.array([10.0, 20.0, 30.0]))
    rarity = math.log(1 + 1.5 / 2.5)
    first = rarity * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 0.5))
    third = rarity * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 1.5))
    assert found == pytest.approx([first, 0, third])
    assert bm25(np.zeros((0, 2)), np.zeros(0)).tolist() == []


@given(st.lists(WORDS, max_size=8), st.lists(st.sampled_from(["pump", "heat", "nobody"]), unique=True))
def test_terms_are_counted_as_whole_words_in_any_letter_case(texts: list[list[str]], terms: list[str]) -> None:
    joined = [" ".join(words) for words in texts]
    found = term_frequencies(pl.Series(joined, dtype=pl.String), terms)
    expected = [[len(re.findall(rf"\b{term}\b", text.lower())) for term in terms] for text in joined]
    assert found.shape == (len(texts), len(terms))
    assert found.tolist() == expected


@given(st.lists(st.text("awW7_ ,ä漢の\u0301ﬁ²ก\n\u200dİ", max_size=14), max_size=8), st.text("aw7漢のäi ", max_size=6))
def test_terms_are_counted_as_if_every_term_were(texts: list[str], question: str) -> None:
    terms = terms_of(question)
    counted = term_counts(texts).rows_by_key(["row", "term"], unique=True)
    expected = [[counted.get((row, term), (0,))[0] for term in terms] for row in range(len(texts))]
    assert term_frequencies(pl.Series(texts, dtype=pl.String), terms).tolist() == expected


def test_standard_deviations() -> None:
    assert z_scored(np.array([1.0, 2.0, 3.0])) == pytest.approx([-math.sqrt(1.5), 0, math.sqrt(1.5)])
    assert z_scored(np.full(3, 0.1)).tolist() == [0, 0, 0]
    assert z_scored(np.zeros(0)).tolist() == []


def test_words_decide_and_likeness_breaks_ties() -> None:
    texts = pl.Series(["pump pump", "a pump", "a pump", "nothing", "alike"])
    vectors = np.array([[0, 1], [0, 1], [1, 0], [1e-9, 1], [1, 0]], np.float32)
    scores = search_scores(texts, np.full(5, 2.0), vectors, ["pump"], np.array([1, 0], np.float32))
    assert np.argsort(-scores, kind="stable").tolist()[:3] == [0, 2, 1]
    assert scores[3] == -np.inf, "as like as rounding makes it"
    assert np.isfinite(scores[4])
    words = z_scored(bm25(np.array([[2.0], [1], [1], [0], [0]]), np.full(5, 2.0)))
    assert scores[:3] == pytest.approx((words + 0.3 * z_scored(np.array([0.0, 0, 1, 0, 1])))[:3])


def test_a_snippet_shows_the_first_term_in_one_line() -> None:
    text = f"{'before ' * 50}the Pump\n\nis loud {'after ' * 50}"
    shown = snippet(text, terms_of("pump loud"), 60)
    assert "the Pump is loud" in shown
    assert shown.startswith("… before ")
    assert shown.endswith(" …")
    assert len(shown) <= 64
    assert snippet("short\ttext", ["absent"]) == "short text"
    assert snippet("", []) == ""
