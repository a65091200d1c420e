"""Phone numbers.

Belongs here: telling and spelling international numbers. Not here: whether anyone answers there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.lake.errors import LakeError
from lakehouse_assets.lake.values.words import by_batch, tidy

if TYPE_CHECKING:
    import phonenumbers

# Letters are refused: the library reads those of `+1-800-FLOWERS`, and of any note beside a number, as digits.
_ABROAD = r"^\(?(\+|00)"
_DIALLED = _ABROAD + r"[0-9 ()./\-\x{2010}-\x{2015}\x{2212}]+$"


def phone(column: str | pl.Expr) -> pl.Expr:
    """A phone number as E.164, from international notation only: a country code after `+` or `00`.

    Null where it is no valid number of the country: a range or a length that it does not have. No default country
    is assumed, since a wrong one makes another, valid number.
    """

    def phones(values: pl.Series) -> pl.Series:
        values = tidy(values)
        values = values.set(~values.str.contains(_DIALLED), None)
        return _e164(values.str.replace(_ABROAD, "").str.replace_all(r"[^0-9]", ""))

    return by_batch(column, phones, pl.String())


def _e164(digits: pl.Series) -> pl.Series:
    """E.164 of digits that start with a country code.

    The library takes 30 µs a number. What it does is done here for a whole batch, by its own patterns, but for
    numbers that may begin with a national prefix, such as the 0 in `+49 (0)30`: those it is asked for.
    """
    import phonenumbers

    codes = [str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE]
    country = digits.set(digits.is_not_null(), None)
    for size in (1, 2, 3):
        start = digits.str.head(size)
        country = start.zip_with(start.is_in([code for code in codes if len(code) == size]), country)
    is_valid, is_prefixed = _false(digits), _false(digits)
    for code in country.unique().drop_nulls():
        rows = (country == code).arg_true()
        national = digits.gather(rows).str.slice(len(code))
        prefix = _plan(code, phonenumbers.region_code_for_country_code(int(code))).national_prefix_for_parsing
        if prefix:
            is_prefixed = is_prefixed.scatter(rows, national.str.contains(f"^(?:{prefix})"))
        is_valid = is_valid.scatter(rows, _is_valid(code, national))
    others = digits.set(~is_prefixed, None)
    distinct = others.unique().drop_nulls()
    parsed = pl.Series([_parsed(number) for number in distinct], dtype=pl.String)
    found = others.replace_strict(distinct, parsed, default=None, return_dtype=pl.String)
    return ("+" + digits).zip_with(is_valid & ~is_prefixed, found)


def _false(like: pl.Series) -> pl.Series:
    return pl.repeat(value=False, n=len(like), eager=True)


def _plan(code: str, region: str) -> phonenumbers.PhoneMetadata:
    """The numbering plan of a region that shares the country code."""
    import phonenumbers

    plan = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    if plan is None:
        raise LakeError(f"phonenumbers has no numbering plan of region {region} of +{code}: install another release")
    return plan


def _is_valid(code: str, numbers: pl.Series) -> pl.Series:
    """Whether national numbers without a prefix are valid in the first region that claims them.

    A region claims what starts with its leading digits or, where it has none, what is valid in it.
    """
    import phonenumbers

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
    valid, left = _false(numbers), pl.int_range(len(numbers), eager=True)
    for region in regions:
        plan, unclaimed = _plan(code, region), numbers.gather(left)
        fitting = _fits(plan, unclaimed)
        leading = plan.leading_digits if len(regions) > 1 else None
        claimed = unclaimed.str.contains(f"^(?:{leading})") if leading else fitting
        valid = valid.scatter(left.filter(claimed & fitting), values=True)
        left = left.filter(~claimed)
    return valid


def _fits(plan: phonenumbers.PhoneMetadata, numbers: pl.Series) -> pl.Series:
    """Whether national numbers are of any kind that a plan has: landlines, mobiles, toll-free ones, …"""
    kinds = [
        *(plan.fixed_line, plan.mobile, plan.toll_free, plan.premium_rate, plan.shared_cost),
        *(plan.voip, plan.personal_number, plan.pager, plan.uan, plan.voicemail),
    ]
    patterns: dict[tuple[int, ...], list[str]] = {}
    for kind in kinds:
        if kind is not None and kind.national_number_pattern:
            patterns.setdefault(tuple(kind.possible_length), []).append(kind.national_number_pattern)
    lengths, found = numbers.str.len_bytes(), _false(numbers)
    for possible, alternatives in patterns.items():
        matching = numbers.str.contains(f"^(?:{'|'.join(alternatives)})$")
        found |= matching & lengths.is_in(possible) if possible else matching
    general = plan.general_desc
    if general is None or not general.national_number_pattern:
        return found & False
    return (
        found
        & lengths.is_in(general.possible_length)
        & numbers.str.contains(f"^(?:{general.national_number_pattern})$")
    )


def _parsed(digits: str) -> str | None:
    """E.164 as the library finds it, null for what is no valid number."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse("+" + digits, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
