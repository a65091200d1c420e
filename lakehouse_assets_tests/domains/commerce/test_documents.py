"""Documents: cleaned as they were written, and cut alike wherever they stand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.domains.commerce.chunking import MOST_TOKENS, OVERLAP, chunk_rows, chunks_of, tokens_of
from lakehouse_assets.domains.commerce.platinum import platinum_document_chunks
from lakehouse_assets_tests.lake.one_row import judged_row

CLEAN = {
    "document_id": "D1",
    "customer_id": " C1 ",
    "title": " Visit  report ",
    "kind": "Visit-Report",
    "created_at": "2026-01-14T23:30:00-01:00",
    "text": "\uff28ello  \r\n\r\n\tWörld\rend ",
}
D = date(2026, 1, 31)
E = date(2026, 2, 1)


def judged(**changes: str | None) -> dict[str, Any]:
    return judged_row("commerce", "documents", CLEAN | changes)


def test_the_facts_are_cleaned_and_the_text_is_not() -> None:
    row = judged()
    expected = {
        "customer_id": "C1",
        "title": "Visit report",
        "kind": "visit_report",
        "created_at": datetime(2026, 1, 15, 0, 30, tzinfo=UTC),
        "text": "\uff28ello  \n\n\tWörld\nend ",
        "char_count": 20,
        "language": None,
    }
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize("word", ["NULL", "-", "none", "n/a"])
def test_a_text_of_a_word_for_nothing_is_a_text(word: str) -> None:
    row = judged(text=word, title=word)
    assert (row["text"], row["char_count"], row["title"]) == (word, len(word), None)


def tokens(count: int, first: int = 0) -> str:
    return " ".join(f"w{number}" for number in range(first, first + count))


def test_a_short_text_is_one_chunk_without_the_white_space_around_it() -> None:
    assert chunks_of("  \n One, two. \n") == [(4, 13, 4)]
    assert chunks_of("") == chunks_of(" \n\t ") == []


def test_a_text_is_cut_behind_the_last_paragraph_of_the_second_half() -> None:
    text = f"{tokens(70)}\n\n{tokens(80)}.\n\n{tokens(40)}. {tokens(50)}. {tokens(200)}"
    first, second, *_ = chunks_of(text)
    assert text[first[0] : first[1]].endswith("w79.")
    assert first[2] == 151
    assert second[0] < first[1]


@pytest.mark.parametrize(
    ("between", "token"),
    [(". ", "w199"), ("!) ", "w199"), ("\n", "w199"), (" ", "w255"), (".", "w254")],
)
def test_a_sentence_is_a_better_place_than_a_line_and_a_line_than_a_word(between: str, token: str) -> None:
    text = f"{tokens(200)}{between}{tokens(200, 200)}"
    start, end, _ = chunks_of(text)[0]
    assert text[start:end].rstrip(".!)").endswith(f" {token}")


def test_the_next_chunk_begins_with_a_sentence_of_the_last_tokens() -> None:
    text = f"{tokens(235)}. {tokens(19, 300)}. {tokens(300, 400)}"
    first, second = chunks_of(text)[:2]
    assert text[first[0] : first[1]].endswith("w318.")
    assert text[second[0] :].startswith("w300")


def test_long_words_and_scripts_without_spaces_are_cut_too() -> None:
    for text in ("x" * 20_000, "漢" * 3_000, "ひらがな。" * 500):
        chunks = chunks_of(text)
        assert max(count for _, _, count in chunks) <= MOST_TOKENS
        assert (chunks[0][0], chunks[-1][1]) == (0, len(text))


TEXTS = st.lists(
    st.sampled_from(
        ["word", "Ü", "\U0001f600", "a\u0308", "漢字", ".", "!", "\n", "\n\n", " ", "  ", "\u2028", "¿", "9"]
    ),
    max_size=150,
).map("".join)


@given(TEXTS, st.integers(4, 20))
def test_every_token_is_in_a_chunk_and_neighbours_share_no_more_than_the_overlap(text: str, most: int) -> None:
    overlap = most // 4
    chunks = chunks_of(text, most, overlap)
    assert chunks == chunks_of(text, most, overlap)
    tokens = tokens_of(text)
    covered: set[int] = set()
    for start, end, count in chunks:
        inside = [i for i, at in enumerate(tokens.starts) if start <= at < end]
        assert len(inside) == count <= most
        assert text[start:end] == text[start:end].strip()
        shared = covered.intersection(inside)
        assert len(shared) <= overlap
        assert set(inside) - covered
        covered |= set(inside)
    assert covered == set(range(len(tokens.starts)))


def documents(*rows: tuple[date, str, str]) -> pl.LazyFrame:
    schema = {"date": pl.Date(), "document_id": pl.String(), "text": pl.String()}
    frame = pl.LazyFrame(rows, schema, orient="row")
    return frame.with_columns(pl.col("document_id").str.replace("D", "C").alias("customer_id"))


def test_a_chunk_is_the_text_between_its_characters() -> None:
    text = "Grüße 😀 an a\u0308lle.\n\n" * 100
    whole = documents((D, "D1", text), (D, "D2", "ü"), (D, "D3", " "))
    found = platinum_document_chunks(whole).collect()
    assert found["document_id"].unique().sort().to_list() == ["D1", "D2"]
    both = found.join(whole.select("document_id", pl.col("text").alias("whole")).collect(), on="document_id")
    length = pl.col("char_end") - pl.col("char_start")
    assert both.select((pl.col("whole").str.slice("char_start", length) == pl.col("text")).all()).item()
    first = found.filter(document_id="D1")
    assert first["chunk_index"].to_list() == list(range(first.height))
    assert first.height > 1
    assert set(first["customer_id"]) == {"C1"}
    assert found["text_sha256"].str.len_chars().unique().to_list() == [64]


def test_a_range_of_dates_has_the_rows_of_each_date_alone() -> None:
    rows = [(D, "D1", tokens(400)), (D, "D2", "same"), (E, "D1", tokens(500)), (E, "D3", "same")]
    together = chunk_rows(documents(*rows)).collect()
    alone = [chunk_rows(documents(*(row for row in rows if row[0] == day))).collect() for day in (D, E)]
    assert together.equals(pl.concat(alone))
    assert together.height > len(rows)
    assert OVERLAP * 2 < MOST_TOKENS
