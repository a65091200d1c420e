"""E-mail addresses against the validator of the standards, phone numbers against what they mean."""

# ruff: noqa: RUF001 (letters that look alike are what is tested)

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.lake import values
from lakehouse_assets_tests.lake.values.reading import one, parsed


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
        possible = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) if possible else None

    numbers = [f"+{digits}" for digits in dialled_in_every_country()]
    assert len(numbers) > 5_000
    assert parsed(values.phone("v"), numbers) == [parsed_by_the_library(number) for number in numbers]
