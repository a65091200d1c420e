"""Phone numbers against what they mean, and against the library in every country."""

# ruff: noqa: RUF001 (letters that look alike are what is tested)

from __future__ import annotations

import pytest

from lakehouse_assets.lake import values
from lakehouse_assets_tests.lake.values.reading import one, parsed


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("+49 (0)30 123 4567", "+49301234567"),
        ("(+44) 20 7946 0958", "+442079460958"),
        ("0049 30/1234567", "+49301234567"),
        ("+49 30–1234‑567", "+49301234567"),
        ("＋1 (415) 555.0132", "+14155550132"),
        ("+39 06 1234 5678", "+390612345678"),
        ("+1-555-0101", None),
        ("+1 555 010 1234", None),
        ("+1 604 555 0132", "+16045550132"),
        ("+39 347 1234567", "+393471234567"),
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


def dialled_in_every_country() -> list[str]:
    """An example of each kind of number of each country, also with a prefix, a digit too many and a digit too few."""
    import phonenumbers

    examples = [
        phonenumbers.example_number_for_type(region, kind)
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in range(5)
    ] + [
        phonenumbers.example_number_for_non_geo_entity(code) for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS
    ]
    found = set()
    for number in filter(None, examples):
        code, national = str(number.country_code), phonenumbers.national_significant_number(number)
        found |= {code + prefix + national + end for prefix in ("", "0", "1", "8", "15") for end in ("", "7")}
        found.add(code + national[:-1])
    return sorted(found)


def test_phones_are_those_of_the_library_in_every_country() -> None:
    import phonenumbers

    def parsed_by_the_library(number: str) -> str | None:
        try:
            parsed = phonenumbers.parse(number, None)
        except phonenumbers.NumberParseException:
            return None
        valid = phonenumbers.is_valid_number(parsed)
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) if valid else None

    numbers = [f"+{digits}" for digits in dialled_in_every_country()]
    assert len(numbers) > 5_000
    assert parsed(values.phone("v"), numbers) == [parsed_by_the_library(number) for number in numbers]
