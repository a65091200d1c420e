"""Terms: which texts NFKC is spared, and that they come out the same."""

from __future__ import annotations

import sys
import unicodedata

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.models.terms import UNCHANGED, plain


def test_nfkc_changes_nothing_that_is_spared_it() -> None:
    everything = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    spared = set(pl.Series(everything).filter(pl.Series(everything).str.contains(f"^[{UNCHANGED}]$")))
    assert spared > {*"aZ9 \n", *"äßéŁ", *"жΩ", *"漢のア한", *"–„“€"}
    # Neither by itself, nor by moving behind or melting into the character before it.
    assert all(unicodedata.is_normalized("NFKC", sign) and not unicodedata.combining(sign) for sign in spared)
    parts = [unicodedata.decomposition(sign).split() for sign in everything]
    assert not spared & {chr(int(part[1], 16)) for part in parts if len(part) == 2 and not part[0].startswith("<")}
    jamo = {chr(code) for code in range(0x1100, 0x1200)}
    assert not spared & jamo


@given(st.lists(st.text(), max_size=8))
def test_a_plain_text_is_its_nfkc_in_lower_case(texts: list[str]) -> None:
    frame = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})
    composed = pl.Series([unicodedata.normalize("NFKC", text) for text in texts], dtype=pl.String)
    assert frame.select(plain(pl.col("text")))["text"].to_list() == composed.str.to_lowercase().to_list()
