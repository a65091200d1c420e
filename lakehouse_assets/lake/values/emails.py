"""E-mail addresses.

Belongs here: their form. Not here: whether anyone reads there.
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
# What the standards bound, and the top-level domains that they keep out of the public net.
_REFUSED = r"^[^@]{65}|[^@.]{64}\.|\.[^@.]{64}|^.{255}|\.(?i:arpa|invalid|local|localhost|onion|test)$"


def email_is_valid(column: str | pl.Expr) -> pl.Expr:
    """Whether an e-mail address is well formed: a dotted name, `@`, a host name with a top-level domain.

    Null for null. Quoted names, comments and addresses in brackets are refused, and so are more than 64 characters
    before the `@` or 254 in all, and top-level domains such as `local` that no public mail reaches.
    """

    def valid(values: pl.Series) -> pl.Series:
        values = tidy(values)
        found = values.str.contains(_ADDRESS) & ~values.str.contains(_REFUSED)
        others = (values.str.len_bytes() != values.str.len_chars()).arg_true()
        if others.is_empty():
            return found
        rare = values.gather(others)
        return found.scatter(others, rare.str.contains(_ANY_ADDRESS) & ~rare.str.contains(_REFUSED))

    return by_batch(column, valid, pl.Boolean())
