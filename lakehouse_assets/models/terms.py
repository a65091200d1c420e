"""Terms: what a text is made of where texts are compared.

Belongs here: from texts to counted terms, the same for embeddings and for search. Not here: what the counts weigh.
"""

from __future__ import annotations

import polars as pl

# A word, or one sign of a script that puts no spaces between words.
SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}"
SIGN = rf"[{SPACELESS}]"
LETTER = rf"[\p{{L}}\p{{M}}\p{{N}}&&[^{SPACELESS}]]"
TERM = rf"{SIGN}|{LETTER}+"
# What NFKC leaves as it is, whatever else of these stands beside it: ASCII, accented Latin letters, Greek, Cyrillic,
# kana, Chinese characters, Korean syllables and common signs. Texts with anything else are only slower.
UNCHANGED = (
    r"\x00-\x7f¡-§©«-®°±¶·»¿À-ıĴ-ľŁ-ňŊ-žΆΈ-ώЀ-ҁ"
    r"\x{2013}\x{2014}\x{2018}-\x{201e}†‡•€、。ぁ-ゖァ-ヺ一-鿿가-힣"
)


def plain(texts: pl.Expr) -> pl.Expr:
    """The form in which texts are compared: NFKC, lower case."""
    return texts.map_batches(_composed, return_dtype=pl.String, is_elementwise=True).str.to_lowercase()


def _composed(texts: pl.Series) -> pl.Series:
    """NFKC, which changes few texts and costs more than the rest."""
    rows = texts.str.contains(f"[^{UNCHANGED}]").arg_true()
    return texts.clone().scatter(rows, texts.gather(rows).str.normalize("NFKC")) if len(rows) else texts


def terms_of(text: str) -> list[str]:
    """The terms of one text, each once, sorted."""
    return sorted(set(term_counts([text])["term"]))


def term_counts(texts: pl.Series | list[str]) -> pl.DataFrame:
    """How often each text has each of its terms: `row` (the text's number), `term`, `count`, sorted."""
    found = pl.LazyFrame({"text": texts}, schema={"text": pl.String}).select(
        pl.int_range(pl.len()).cast(pl.Int64).alias("row"), plain(pl.col("text")).str.extract_all(TERM).alias("term")
    )
    counted = found.explode("term", empty_as_null=False).group_by("row", "term").agg(pl.len().alias("count"))
    return counted.sort("row", "term").collect(engine="streaming")
