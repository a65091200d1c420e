"""Values by the conventions of the contract: what a text means, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lakehouse_assets_tests.oracle import cleaning


@pytest.mark.parametrize(
    "raw, expected",
    [
        ("  \uff21cme\u00a0 \t Ltd ", "Acme Ltd"),
        ("Œuvres & Cie", "Œuvres & Cie"),
        ("N/a", None),
        (" - ", None),
        ("NaN", None),
        ("NONE", None),
        ("", None),
        ("nil", "nil"),
    ],
)
def test_text_is_nfkc_trimmed_and_collapsed_and_words_for_nothing_are_null(raw: str, expected: str | None) -> None:
    assert cleaning.text(raw) == expected


@pytest.mark.parametrize(
    "raw, expected",
    [("Closed-Won", "closed_won"), ("WhatsApp", "whatsapp"), (" CLOSED   (Lost", "closed_lost"), ("null", None)],
)
def test_codes_join_letters_and_digits_by_one_underscore(raw: str, expected: str | None) -> None:
    assert cleaning.code(raw) == expected


@pytest.mark.parametrize(
    "raw, expected",
    [
        ("Müller & Söhne GmbH.", "müller söhne gmbh"),
        ("O'Brien-Ōta \uff12", "obrienōta 2"),
        ("株式会社　ヤマト", "株式会社 ヤマト"),
        ("!!!", None),
    ],
)
def test_names_for_matching_keep_letters_digits_and_spaces_of_any_script(raw: str, expected: str | None) -> None:
    assert cleaning.name_for_matching(raw) == expected


@pytest.mark.parametrize(
    "raw, expected",
    [("\uff11\uff12\uff0e\uff15", 12.5), ("-3", -3.0), ("2.5e3", 2500.0), (" 7 ", 7.0), ("n/a", None), ("1e-400", 0.0)],
)
def test_numbers_are_decimal_or_exponent(raw: str, expected: float | None) -> None:
    assert cleaning.number(raw) == expected


@pytest.mark.parametrize("raw, expected", [("250.0", 250), ("2.5e2", 250), ("9223372036854775807", 2**63 - 1)])
def test_whole_numbers_may_be_written_as_decimals(raw: str, expected: int) -> None:
    assert cleaning.integer(raw) == expected


@pytest.mark.parametrize(
    "raw, expected",
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05.1234567", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T00:30:00+05:30", datetime(2026, 1, 1, 19, 0, tzinfo=UTC)),
        ("2026-01-01T23:30-0100", datetime(2026, 1, 2, 0, 30, tzinfo=UTC)),
        ("none", None),
    ],
)
def test_times_are_utc_whatever_their_offset(raw: str, expected: datetime | None) -> None:
    assert cleaning.moment(raw) == expected


@pytest.mark.parametrize(
    "parse, raw",
    [
        (cleaning.number, "1e309"),
        (cleaning.number, "inf"),
        (cleaning.number, "1,200"),
        (cleaning.number, "1_200"),
        (cleaning.number, "0x10"),
        (cleaning.number, "$5"),
        (cleaning.integer, "12.5"),
        (cleaning.integer, "1e30"),
        (cleaning.day, "2026-02-30"),
        (cleaning.day, "05/01/2026"),
        (cleaning.day, "20260105"),
        (cleaning.day, "2026-01-05T00:00:00"),
        (cleaning.moment, "2026-01-05 25:00:00"),
        (cleaning.moment, "2026-02-30T10:00:00Z"),
        (cleaning.moment, "yesterday"),
        (cleaning.moment, "9999-12-31T23:30:00-01:00"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused_and_never_guessed(parse: Callable[[str], Any], raw: str) -> None:
    with pytest.raises(cleaning.Unparsable):
        parse(raw)


@pytest.mark.parametrize("value, expected", [(0.125, "0.12"), (0.375, "0.38"), (2.675, "2.68"), (10.0, "10.00")])
def test_money_is_rounded_half_to_even(value: float, expected: str) -> None:
    assert str(cleaning.cents(value)) == expected
