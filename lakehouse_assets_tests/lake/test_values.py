"""Values against small independent references in plain Python, and the contract's own examples."""

# ruff: noqa: RUF001 (letters that look alike are what is tested)

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.lake import values

SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
ANY_CHARACTER = st.characters(exclude_categories=("Cs", "Cn")) | st.sampled_from(SPACE + "-_aAİßΣςﬁ½²Å①é")
NOTHING = st.sampled_from(["", "NULL", "Na", "n/A", "None", "NaN", "-", "ＮＵＬＬ"])
WORDS = st.lists(st.none() | NOTHING | st.text(ANY_CHARACTER, max_size=12), max_size=8)
NUMERALS = st.lists(
    st.from_regex(r"\A[ +-]?[0-9]{0,20}[.,_]?[0-9]{0,4}([eE][+-]?[0-9]{1,3})?\Z")
    | st.sampled_from(["inf", "-Infinity", "nan", "1e309", "0x10", "1_000", "1,234", "１２", "", ".", "e5", "--1"])
    | st.integers(-(2**64), 2**64).map(str)
    | st.integers(-(2**64), 2**64).map(lambda whole: f"{whole}.000")
    | st.floats(allow_nan=False, allow_infinity=False).map(repr),
    max_size=8,
)


def parsed(expression: pl.Expr, given_values: list[str | None]) -> list[Any]:
    frame = pl.LazyFrame({"v": given_values}, schema={"v": pl.String})
    result: list[Any] = frame.select(expression).collect(engine="streaming")["v"].to_list()
    return result


def one(expression: pl.Expr, value: str | None) -> Any:
    return parsed(expression, [value])[0]


def text_of(value: str | None) -> str | None:
    if value is None:
        return None
    tidy = re.sub(f"[{SPACE}\u2004-\u2008]+", " ", unicodedata.normalize("NFKC", value)).strip(" ")
    return None if tidy.lower() in {"", "null", "na", "n/a", "none", "nan", "-"} else tidy


def is_letter_or_digit(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def code_of(value: str | None) -> str | None:
    spelled = "".join(c if is_letter_or_digit(c) else "_" for c in (text_of(value) or "").lower())
    return re.sub("_+", "_", spelled).strip("_") or None


def name_of(value: str | None) -> str | None:
    kept = "".join(c for c in (text_of(value) or "").lower() if is_letter_or_digit(c) or c == " ")
    return " ".join(word for word in kept.split(" ") if word) or None


def exact_of(value: str | None) -> Decimal | None:
    word = text_of(value)
    if word is None or not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", word, re.ASCII):
        return None
    return Decimal(word)


def number_of(value: str | None) -> float | None:
    exact = exact_of(value)
    return None if exact is None or not math.isfinite(float(exact)) else float(exact)


def integer_of(value: str | None) -> int | None:
    exact = exact_of(value)
    if exact is None or abs(exact) >= 2**64 or exact != exact.to_integral_value(context=Context(prec=500)):
        return None
    return int(exact) if -(2**63) <= int(exact) < 2**63 else None


def money_of(value: str | None) -> Decimal | None:
    exact = exact_of(value)
    if exact is None or abs(exact) > 10**20:
        return None
    rounded = exact.quantize(Decimal("0.01"), ROUND_HALF_EVEN, Context(prec=500))
    return rounded if abs(rounded) < 10**16 else None


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


@given(NUMERALS)
def test_numbers_are_finite_and_plain(words: list[str]) -> None:
    assert parsed(values.number("v"), list(words)) == [number_of(word) for word in words]


@given(NUMERALS)
def test_integers_are_exact_up_to_the_ends_of_int64(words: list[str]) -> None:
    assert parsed(values.integer("v"), list(words)) == [integer_of(word) for word in words]


@given(NUMERALS)
def test_decimals_round_half_even_from_finer_input(words: list[str]) -> None:
    assert parsed(values.decimal("v", 18, 2), list(words)) == [money_of(word) for word in words]


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        (values.text("v"), " Ａcme\u00a0\u2003Corp\n ", "Acme Corp"),
        (values.text("v"), "Zoë Ωmega", "Zoë Ωmega"),
        (values.lower_text("v"), " Health  CARE ", "health care"),
        (values.code("v"), "Closed-Won", "closed_won"),
        (values.code("v"), "WhatsApp", "whatsapp"),
        (values.code("v"), " (Très) Bien! ", "très_bien"),
        (values.code("v"), "--", None),
        (values.normalized_name("v"), "O'Brien & Söhne, Inc.", "obrien söhne inc"),
        (values.normalized_name("v"), "東京  電力", "東京 電力"),
        (values.number("v"), "１２", 12.0),
        (values.number("v"), "1e-400", 0.0),
        (values.number("v"), "1,234", None),
        (values.integer("v"), "250.0", 250),
        (values.integer("v"), "2.5e2", 250),
        (values.integer("v"), "12.5", None),
        (values.integer("v"), "9007199254740993", 9007199254740993),
        (values.integer("v"), "9223372036854775807.0", 2**63 - 1),
        (values.integer("v"), "9.223372036854775807e18", 2**63 - 1),
        (values.integer("v"), "9223372036854775808", None),
        (values.integer("v"), "1e99999999999999999999", None),
        (values.integer("v"), "0e999999999", 0),
        (values.decimal("v", 18, 2), "0.125", Decimal("0.12")),
        (values.decimal("v", 18, 2), "0.135", Decimal("0.14")),
        (values.decimal("v", 18, 2), "9999999999999999.995", None),
        (values.date("v"), "2024-02-29", date(2024, 2, 29)),
        (values.date("v"), "２０２４-02-29 ", date(2024, 2, 29)),
        (values.date("v"), "2026-02-29", None),
        (values.date("v"), "2026-1-5", None),
        (values.date("v"), "05/01/2026", None),
        (values.date("v"), "20260105", None),
        (values.date("v"), "2026-01-05T00:00:00", None),
        (values.date("v"), "0000-01-05", None),
        (values.date("v"), "٢٠٢٦-٠١-٠٥", None),
    ],
)
def test_examples(expression: pl.Expr, value: str, expected: object) -> None:
    assert one(expression, value) == expected


MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-01T12:30:00Z", MOMENT),
        ("2026-03-01t12:30:00z", MOMENT),
        ("2026-03-01 12:30:00", MOMENT),
        ("  2026-03-01 \u00a0 12:30:00", MOMENT),
        ("2026-03-01T12:30", MOMENT),
        ("2026-03-01T12:30Z", MOMENT),
        ("2026-03-01 14:30+02:00", MOMENT),
        ("2026-03-01T14:30:00+0200", MOMENT),
        ("2026-03-01T14:30:00+02", MOMENT),
        ("2026-02-28T23:00:00.0-13:30", MOMENT),
        ("2026-03-01T12:30:00,25", MOMENT + timedelta(milliseconds=250)),
        ("2026-03-01T12:30:00.1234569Z", MOMENT + timedelta(microseconds=123456)),
        ("2026-03-01T12:30:00.000000999+00:00", MOMENT),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-02-29T12:30:00Z", None),
        ("2026-03-01T24:00:00Z", None),
        ("2026-12-31T23:59:60Z", None),
        ("2026-03-01T12:60:00Z", None),
        ("2026-03-01T12", None),
        ("2026-03-01T12:30:00+24:00", None),
        ("2026-03-01T12:30:00 UTC", None),
        ("2026-03-01T12:30:00.Z", None),
        ("20260301T123000Z", None),
        ("1772368200", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("9999-12-31T23:00:00-02:00", None),
        ("2026-03-01T12:30:00Zebra", None),
        ("n/a", None),
        (None, None),
    ],
)
def test_times_are_iso_8601_in_utc(value: str | None, expected: datetime | None) -> None:
    assert one(values.timestamp("v"), value) == expected


@given(
    st.lists(
        st.tuples(
            st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)),  # noqa: DTZ001
            st.sampled_from(["seconds", "milliseconds", "microseconds", "minutes"]),
            st.sampled_from("T t"),
            st.none() | st.integers(-1439, 1439),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_times_agree_with_the_standard_library(
    written: list[tuple[datetime, str, str, int | None, bool]],
) -> None:
    texts, expected = [], []
    for moment, precision, mark, offset, colon in written:
        text = moment.isoformat(sep=mark, timespec=precision)
        if offset is not None:
            sign = "-" if offset < 0 else "+"
            text += f"{sign}{abs(offset) // 60:02}{':' if colon else ''}{abs(offset) % 60:02}"
        texts.append(text)
        expected.append(datetime.fromisoformat(text.replace("t", "T")))
    utc = [at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC) for at in expected]
    assert parsed(values.timestamp("v"), list(texts)) == utc


@given(st.lists(st.dates().map(str) | st.from_regex(r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]\Z"), max_size=8))
def test_dates_agree_with_the_standard_library(words: list[str]) -> None:
    def date_of(word: str) -> date | None:
        try:
            return date.fromisoformat(word)
        except ValueError:
            return None

    assert parsed(values.date("v"), list(words)) == [date_of(word) for word in words]


def test_one_of_gives_otherwise_for_null_and_for_all_else() -> None:
    channel = values.one_of(values.code("v"), {"call", "email"}, "other")
    assert parsed(channel, ["Call", "E-Mail", "email", None, "n/a"]) == ["call", "other", "email", "other", "other"]


@given(st.lists(st.from_regex(r"\A[ab0.+_'-]{1,5}@[ab0.-]{1,8}(\.?[abz]{2,3})?\Z"), max_size=8))
def test_addresses_agree_with_the_validator_of_the_standards(addresses: list[str]) -> None:
    from email_validator import EmailNotValidError, validate_email

    def is_valid(address: str) -> bool:
        try:
            validate_email(address, check_deliverability=False, test_environment=True)
        except EmailNotValidError:
            return False
        # Stricter than the standards: no top-level domain has one letter, or digits.
        return re.search(r"\.[a-z]{2,}$", address) is not None

    # Names reserved for later standards (`ab--c`) are the validator's business only.
    known = [address for address in addresses if not re.search(r"[@.]..--", address)]
    assert parsed(values.email_is_valid("v"), list(known)) == [is_valid(address) for address in known]


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        ("Ada.Lovelace+crm@Example.co.uk", True),
        ("zoë@bücher.example", True),
        ("пошта@приклад.укр", True),
        ("a@xn--bcher-kva.example", True),
        ("a" * 64 + "@example.org", True),
        ("a" * 65 + "@example.org", False),
        ("a@" + "b" * 64 + ".org", False),
        ("é@" + "b" * 64 + ".org", False),
        ("a@" + "b." * 126 + "org", False),
        ("not-an-email", False),
        ("two@@example.org", False),
        ("spaced name@example.org", False),
        ("a@localhost", False),
        ("a@127.0.0.1", False),
        ("Ada <ada@example.org>", False),
        (" n/a ", None),
    ],
)
def test_addresses(address: str, valid: bool | None) -> None:
    assert one(values.email_is_valid("v"), address) is valid


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("+49 (0)30 123 4567", "+49301234567"),
        ("(+44) 20 7946 0958", "+442079460958"),
        ("0049 30/1234567", "+49301234567"),
        ("＋1 (415) 555.0132", "+14155550132"),
        ("+39 06 1234 5678", "+390612345678"),
        ("+1-555-0101", None),
        ("030 1234567", None),
        ("+999 123456789", None),
        ("+49", None),
        ("+49 30 1234567 ask for Eve", None),
        ("call me", None),
        ("NULL", None),
        (None, None),
    ],
)
def test_phones_are_e164_where_the_country_is_told(written: str | None, expected: str | None) -> None:
    assert one(values.phone("v"), written) == expected


def test_phones_repeat_within_a_stream() -> None:
    written = ["+49 30 1234567", None, "0049301234567", "+49 30 1234567"]
    assert parsed(values.phone("v"), written * 1000) == ["+49301234567", None, "+49301234567", "+49301234567"] * 1000


def test_expressions_keep_the_name_of_their_column_and_its_rows() -> None:
    frame = pl.LazyFrame({"a": ["1", None], "b": ["x  y", "-"]})
    result = frame.with_columns(values.number(pl.col("a")), values.text("b"), c=values.integer("a")).collect()
    assert result.to_dict(as_series=False) == {"a": [1.0, None], "b": ["x y", None], "c": [1, None]}
    assert result.schema == frame.with_columns(values.number("a"), c=values.integer("a")).collect_schema()


@given(st.lists(st.none() | st.floats(0, 1e12).map(lambda amount: round(amount, 3)), max_size=8))
def test_sums_are_exact_in_cents_and_in_any_order(amounts: list[float | None]) -> None:
    cents = [Decimal(repr(a)).quantize(Decimal("0.01"), ROUND_HALF_EVEN) for a in amounts if a is not None]
    frame = pl.LazyFrame({"v": [*amounts, *reversed(amounts)]}, schema={"v": pl.Float64})
    assert frame.select(values.exact_sum("v")).collect().item() == float(2 * sum(cents))


def test_sums_of_what_has_no_cents_lose_nothing() -> None:
    frame = pl.LazyFrame({"v": [1e40, 2e40, 0.5]})
    assert frame.select(values.exact_sum("v")).collect().item() == 3e40
    assert frame.clear().select(values.exact_sum("v")).collect().item() == 0.0
