"""What a business domain says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """Who answers for a domain's tables, and what it is."""

    name: str
    description: str
    owners: Sequence[str]
