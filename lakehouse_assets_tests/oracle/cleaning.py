"""Text to values by the contract's conventions, one value at a time.

Belongs here: what a single value means. Not here: rules on a row (`judging`), reading files (`reading`).
Written from the contract alone, in plain Python, so that it can disagree with the lakehouse.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal

NULL_WORDS = frozenset({"", "null", "na", "n/a", "none", "nan", "-"})
INT64_MAX = 2**63 - 1
# The White_Space property of Unicode: Python's own idea of white space adds the separators 0x1c to 0x1f.
WHITE_SPACE = re.compile(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)? ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


class Unparsable(ValueError):  # noqa: N818 - a verdict on a value
    """A value that is not empty and is not of its column's type."""


def text(raw: str | None) -> str | None:
    """NFKC, trimmed, inner white space collapsed; the words for nothing are None, in any letter case."""
    if raw is None:
        return None
    cleaned = WHITE_SPACE.sub(" ", unicodedata.normalize("NFKC", raw)).strip(" ")
    return None if cleaned.lower() in NULL_WORDS else cleaned


def code(raw: str | None) -> str | None:
    """Lower case, each run of other characters than letters and digits made one underscore."""
    cleaned = text(raw)
    if cleaned is None:
        return None
    joined = "".join(char if is_letter_or_digit(char) else " " for char in cleaned.lower())
    return re.sub(" +", "_", joined)


def name_for_matching(raw: str | None) -> str | None:
    """Lower case, letters, digits and spaces only."""
    cleaned = text(raw)
    if cleaned is None:
        return None
    kept = "".join(char for char in cleaned.lower() if char == " " or is_letter_or_digit(char))
    return re.sub(" +", " ", kept).strip(" ") or None


def is_letter_or_digit(char: str) -> bool:
    return unicodedata.category(char)[0] in "LN"


def number(raw: str | None) -> float | None:
    """A finite number in plain decimal or exponent notation.

    Raises:
        Unparsable: anything else, a number too large for a float included.
    """
    cleaned = text(raw)
    if cleaned is None:
        return None
    if not NUMBER.fullmatch(cleaned) or math.isinf(value := float(cleaned)):
        raise Unparsable(raw)
    return value


def integer(raw: str | None) -> int | None:
    """A whole number of 64 bits; `250.0` is 250.

    Raises:
        Unparsable: a fraction, a number beyond 64 bits, anything else.
    """
    if number(raw) is None:
        return None
    exact = Decimal(text(raw) or "")
    if exact != exact.to_integral_value() or abs(exact) > INT64_MAX:
        raise Unparsable(raw)
    return int(exact)


def amount(raw: str | None) -> Decimal | None:
    """An amount of money with two decimals, half-even from finer input, of ten digits in all.

    Raises:
        Unparsable: no number, or one of more digits.
    """
    if number(raw) is None:
        return None
    exact = Decimal(text(raw) or "")
    if abs(exact) >= 10**9 or abs(rounded := exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)) >= 10**8:
        raise Unparsable(raw)
    return rounded


def day(raw: str | None) -> date | None:
    """A date as YYYY-MM-DD.

    Raises:
        Unparsable: another format, or a day that no calendar has.
    """
    cleaned = text(raw)
    if cleaned is None:
        return None
    if not (parts := DATE.fullmatch(cleaned)):
        raise Unparsable(raw)
    try:
        return date(*(int(part) for part in parts.groups()))
    except ValueError as error:
        raise Unparsable(raw) from error


def moment(raw: str | None) -> datetime | None:
    """An ISO 8601 time in UTC; without an offset it is UTC already, and a day alone is its midnight.

    Finer than microseconds is cut off, as the lake stores microseconds.

    Raises:
        Unparsable: another format, or a time that no clock shows.
    """
    cleaned = text(raw)
    if cleaned is None:
        return None
    if not (parts := TIME.fullmatch(cleaned)):
        raise Unparsable(raw)
    on, hour, minute, second, fraction, offset = parts.groups()
    try:
        local = datetime.fromisoformat(on).replace(
            hour=int(hour or 0),
            minute=int(minute or 0),
            second=int(second or 0),
            microsecond=int((fraction or "0").ljust(6, "0")[:6]),
            tzinfo=zone(offset),
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unparsable(raw) from error


def zone(offset: str | None) -> timezone:
    if offset is None or offset in "Zz":
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    if int(digits[2:]) > 59:
        raise ValueError(f"no clock is off by {offset}")
    distance = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-distance if offset[0] == "-" else distance)


def cents(value: float) -> Decimal:
    """Money of two decimals, half-even, from the number as it is written."""
    return Decimal(repr(value)).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)


def phone(raw: str | None) -> tuple[str | None, bool]:
    """The number as E.164 where it parses, else as it stands; and whether it is a number that can be dialled."""
    cleaned = text(raw)
    if cleaned is None:
        return None, True
    import phonenumbers

    try:
        parsed = phonenumbers.parse(cleaned, None)
    except phonenumbers.NumberParseException:
        return cleaned, False
    if not phonenumbers.is_valid_number(parsed):
        return cleaned, False
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), True


def is_email(address: str) -> bool:
    import email_validator

    try:
        email_validator.validate_email(address, check_deliverability=False)
    except email_validator.EmailNotValidError:
        return False
    return True
