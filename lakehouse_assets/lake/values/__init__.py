"""Values: from the text that landed to typed columns, as expressions that stream.

Belongs here: what a text, code, number, date, time, e-mail address or phone number is, for every domain alike.
Not here: which columns a table has, and whether a value is allowed there (contracts).

All but `exact_sum` and `tidy` take a column's name, or an expression, of type String and return an expression of the
same name.
What does not parse is null; `cleaned` tells it from what was empty.
"""

from lakehouse_assets.lake.values.emails import email_is_valid
from lakehouse_assets.lake.values.numbers import decimal, exact_sum, integer, number
from lakehouse_assets.lake.values.phones import phone
from lakehouse_assets.lake.values.times import date, timestamp
from lakehouse_assets.lake.values.words import cleaned, code, lower_text, normalized_name, one_of, text, tidy

__all__ = [
    "cleaned",
    "code",
    "date",
    "decimal",
    "email_is_valid",
    "exact_sum",
    "integer",
    "lower_text",
    "normalized_name",
    "number",
    "one_of",
    "phone",
    "text",
    "tidy",
    "timestamp",
]
