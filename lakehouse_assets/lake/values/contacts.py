"""Contacts: e-mail addresses and phone numbers.

Belongs here: their form. Not here: whether anyone answers there.
"""

from __future__ import annotations

import polars as pl

from lakehouse_assets.lake.values.words import by_batch, tidy

# The same form twice: plain ASCII, which nearly all addresses are, and letters of any script at ten times the cost.
_LETTERS, _ANY_LETTERS = "a-zA-Z", r"\p{L}\p{M}"


def _address(letters: str) -> str:
    atom = rf"[{letters}0-9!#$%&'*+/=?^_`{{|}}~-]+"
    label = rf"[{letters}0-9](?:[{letters}0-9-]*[{letters}0-9])?"
    top_label = rf"(?:[{letters}]*[{letters}]{{2}}|[xX][nN]--[a-zA-Z0-9-]*[a-zA-Z0-9])"
    return rf"^{atom}(?:\.{atom})*@(?:{label}\.)+{top_label}$"


_ADDRESS, _ANY_ADDRESS = _address(_LETTERS), _address(_ANY_LETTERS)
_TOO_LONG = r"^[^@]{65}|[^@.]{64}\.|\.[^@.]{64}|^.{255}"
# Letters are refused: the library reads those of `+1-800-FLOWERS`, and of any note beside a number, as digits.
_ABROAD = r"^\(?(\+|00)"
_DIALLED = _ABROAD + r"[0-9 ()./\-–]+$"


def email_is_valid(column: str | pl.Expr) -> pl.Expr:
    """Whether an e-mail address is well formed: a dotted name, `@`, a host name with a top-level domain.

    Null for null. Quoted names, comments and addresses in brackets are refused, and so is what exceeds 64 characters
    before the `@` or 254 in all.
    """

    def valid(values: pl.Series) -> pl.Series:
        values = tidy(values)
        found = values.str.contains(_ADDRESS) & ~values.str.contains(_TOO_LONG)
        others = (values.str.len_bytes() != values.str.len_chars()).arg_true()
        if others.is_empty():
            return found
        rare = values.gather(others)
        return found.scatter(others, rare.str.contains(_ANY_ADDRESS) & ~rare.str.contains(_TOO_LONG))

    return by_batch(column, valid, pl.Boolean())


def phone(column: str | pl.Expr) -> pl.Expr:
    """A phone number as E.164, from international notation only: a country code after `+` or `00`.

    Null where no country code tells the country, or the country has no numbers of that length. No default
    country is assumed, since a wrong one makes another, valid number.
    """

    def phones(values: pl.Series) -> pl.Series:
        values = tidy(values)
        values = values.set(~values.str.contains(_DIALLED), None)
        return _e164(values.str.replace(_ABROAD, "").str.replace_all(r"[^0-9]", ""))

    return by_batch(column, phones, pl.String())


def _e164(digits: pl.Series) -> pl.Series:
    """E.164 of digits that start with a country code.

    The library takes 15 µs a number, mostly to find a national prefix such as the 0 in `+49 (0)30`. A number that
    cannot begin with its country's prefix is what was dialled, and is told by its length here.
    """
    import phonenumbers

    codes = [str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE]
    country = pl.Series([None], dtype=pl.String).new_from_index(0, len(digits))
    for size in (1, 2, 3):
        start = digits.str.head(size)
        country = start.zip_with(start.is_in([code for code in codes if len(code) == size]), country)
    found = pl.Series([None], dtype=pl.String).new_from_index(0, len(digits))
    for code in country.unique().drop_nulls():
        rows = (country == code).arg_true()
        dialled = digits.gather(rows)
        prefix, lengths = _numbering(code)
        national = dialled.str.slice(len(code))
        has_prefix = (
            national.str.contains(f"^(?:{prefix})") if prefix else pl.Series([False]).new_from_index(0, len(rows))
        )
        possible = "+" + dialled.set(~national.str.len_bytes().is_in(lengths), None)
        found = found.scatter(rows, possible.zip_with(~has_prefix, _parsed(dialled.set(~has_prefix, None))))
    return found


def _numbering(code: str) -> tuple[str | None, list[int]]:
    """How the national numbers of a country code are dialled: the pattern of its prefix, and how long they can be."""
    import phonenumbers

    region = phonenumbers.region_code_for_country_code(int(code))
    plan = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    if plan is None or plan.general_desc is None:
        return None, []
    return plan.national_prefix_for_parsing, list(plan.general_desc.possible_length)


def _parsed(digits: pl.Series) -> pl.Series:
    distinct = digits.unique().drop_nulls()
    numbers = pl.Series([_parse(number) for number in distinct], dtype=pl.String)
    return digits.replace_strict(distinct, numbers, default=None, return_dtype=pl.String)


def _parse(digits: str) -> str | None:
    """E.164 as the library finds it, null for a length that the country does not have."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse("+" + digits, None)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
