"""What a landing zone is made of: the one place for its figures.

Belongs here: sizes, shares and their meaning. Not here: how rows are made (`population`, `dirt`) or written
(`writing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

FORMATS = ("csv", "csv.gz", "csv.zst", "ndjson", "json", "parquet")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A landing zone; equal specs give equal bytes.

    Args:
        rows: Records of all tenants and sources together, near enough; full extracts and duplicates come on top.
        tenants: Tenants by name; each gets an equal share of the rows.
        first: The first ingest date.
        days: Ingest dates from the first on, those without a landing included.
        start: The first daily partition of the lakehouse: a few events lie before it.
        history_days: The first landing's interactions spread over so many days before it.
        dirty: Share of records with a fault or an odd way of writing.
        late: Share of interactions that land one to `latest` days after they happened.
        latest: The longest delay, in days.
        corrections: Share of a day's leads and interactions that change what landed before.
        deletes: Share of a day's leads and customers that are deletes.
        extract_every: Every so many days customers and products land in full; 0 for never.
        gaps: Share of tenant-days without any landing; the first day always has one.
        formats: Endings that the files take in turn.
        seed: Anything else gives another landing zone of the same kind.
    """

    rows: int = 10_000
    tenants: tuple[str, ...] = ("acme", "globex")
    first: date = date(2026, 1, 1)
    days: int = 10
    start: date = date(2024, 1, 1)
    history_days: int = 30
    dirty: float = 0.02
    late: float = 0.05
    latest: int = 21
    corrections: float = 0.1
    deletes: float = 0.01
    extract_every: int = 7
    gaps: float = 0.1
    formats: tuple[str, ...] = ("csv",)
    seed: int = 0

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.formats) - set(FORMATS)):
            raise ValueError(f"no such format: {unknown}; take some of {FORMATS}")

    @property
    def last(self) -> date:
        """The last ingest date."""
        return self.first + timedelta(days=self.days - 1)
