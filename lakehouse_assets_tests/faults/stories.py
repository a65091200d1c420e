"""What lands in a test of faults, and the lakes that come of it when nothing goes wrong.

Belongs here: landing zones and undisturbed lakes to compare with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from lakehouse_assets_tests.faults import lakes
from lakehouse_assets_tests.faults.places import FIRST, Place, copied
from lakehouse_assets_tests.landing_zones import Spec, generate
from lakehouse_assets_tests.pipeline.crm_landings import build_all

FORMATS = ("csv", "csv.gz", "ndjson", "parquet", "json", "csv.zst")


@dataclass(frozen=True)
class Story:
    """Days that land, the last of them after the others have been built; late rows and corrections are among them.

    `early` is the place whose landing zone has not got the last day; `full` the one that has. Their lakes are built
    without any fault.
    """

    early: Place
    full: Place
    spec: Spec

    @property
    def first(self) -> date:
        return self.spec.first

    @property
    def last(self) -> date:
        return self.spec.last

    @cached_property
    def before(self) -> lakes.type_of_state:
        """What the lake holds when the last day lands."""
        return lakes.state(self.early)

    @cached_property
    def after(self) -> lakes.type_of_state:
        """What the lake holds in the end."""
        return lakes.state(self.full)

    @property
    def tenants(self) -> tuple[str, ...]:
        return self.spec.tenants

    def begun(self, name: str) -> Place:
        """A new lake that holds all but the last day, all of which has landed."""
        return replace(self.early.copy_lake(name), landing=self.full.landing)

    def finished(self, name: str) -> Place:
        """A new lake that holds everything."""
        return self.full.copy_lake(name)

    def unbegun(self, name: str) -> Place:
        """A new lake of nothing yet."""
        return self.full.with_lake(name)


def tell(place: Place, *, tenants: Iterable[str] = ("acme", "globex"), days: int = 3, rows: int = 300) -> Story:
    """Land a story at a place and build its lakes."""
    spec = Spec(
        rows=rows,
        tenants=tuple(tenants),
        first=FIRST,
        days=days,
        history_days=4,
        late=0.3,
        latest=2,
        corrections=0.3,
        deletes=0.1,
        extract_every=2,
        gaps=0.0,
        formats=FORMATS,
        seed=3,
    )
    full = replace(place.with_lake("full"), landing=place.landing)
    early = replace(place.with_lake("early"), landing=f"{place.landing}-early")
    with TemporaryDirectory() as folder:
        generate(Path(folder), spec)
        copied(folder, full.landing, place.options)
        for late in sorted(Path(folder).glob(f"*/*/*/{spec.last}/*")):
            late.unlink()
        copied(folder, early.landing, place.options)
    for one, last in ((early, date.fromordinal(spec.last.toordinal() - 1)), (full, spec.last)):
        build_all(one.house(), spec.first, last)
    return Story(early, full, spec)
