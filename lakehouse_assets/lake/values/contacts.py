"""Contacts: e-mail addresses and phone numbers.

Belongs here: their form. Not here: whether anyone answers there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

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
_DIALLED = r"^\(?(\+|00)[0-9 ()./\-–]+$"
_REMEMBERED = 200_000


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
        distinct = values.unique().drop_nulls()
        numbers = pl.Series([_remembered(_e164, number) for number in distinct], dtype=pl.String)
        return values.replace_strict(distinct, numbers, default=None, return_dtype=pl.String)

    return by_batch(column, phones, pl.String())


@lru_cache(maxsize=_REMEMBERED)
def _remembered(parse: Callable[[str], str | None], dialled: str) -> str | None:
    """Extracts bring the same customers every day."""
    return parse(dialled)


def _e164(dialled: str) -> str | None:
    import phonenumbers

    number = dialled.lstrip("(")
    number = "+" + number.removeprefix("00").removeprefix("+")
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
