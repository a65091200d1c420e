"""Tenants whose every value is marked, and the search for one's marks among another's.

Belongs here: what lands, and what a trace of another tenant is. Not here: where it is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hypothesis import strategies as st

from lakehouse_assets_tests.faults.places import day
from lakehouse_assets_tests.pipeline.crm_landings import land

# Each is another's beginning, ending or look-alike, in paths, in patterns of SQL and where names are sorted.
LIKENESSES = ["a", "a_b", "a-b", "ab", "a_", "a-", "aa", "b", "1", "11", "1-1", "0", "crm", "tenant_id", "date", "all"]
NAMES = st.sampled_from(LIKENESSES) | st.from_regex(r"[a-z0-9][a-z0-9_-]{0,12}", fullmatch=True)
DATES = st.lists(st.integers(0, 3).map(day), min_size=1, max_size=2, unique=True)
TENANTS = st.dictionaries(NAMES, DATES, min_size=2, max_size=3)


@dataclass(frozen=True)
class Tenant:
    """One tenant, the dates on which it lands, and the mark that is in all it lands."""

    name: str
    dates: tuple[date, ...]
    mark: str

    @property
    def traces(self) -> re.Pattern[str]:
        """Where this matches a text, the text tells of the tenant: by its mark, or by its name alone between marks."""
        name = re.escape(self.name)
        return re.compile(rf"{self.mark}|tenant_id=['\"]?{name}(?![\w-])|(?<![\w/.-]){name}/crm/|\|{name}(?![\w-])")


def tenants_of(drawn: Mapping[str, Collection[date]]) -> list[Tenant]:
    """The drawn tenants, each with a mark of its own."""
    return [
        Tenant(name, tuple(sorted(dates)), f"Mark{number}of{9 - number}")
        for number, (name, dates) in enumerate(sorted(drawn.items()))
    ]


def land_all(landing: Path, tenant: Tenant) -> None:
    """The same keys for every tenant, and the mark in all else; some of it to be rejected, malformed and refused."""
    mark = tenant.mark
    for on in tenant.dates:
        customers: list[dict[str, object]] = [
            dict[str, object](customer_id=f"c{n}", customer_name=f"{mark} {n}", industry=mark) for n in range(3)
        ]
        customers.append({"customer_id": "c9", "customer_name": mark, "annual_revenue": f"{mark} dear"})
        leads: list[dict[str, object]] = [
            dict[str, object](lead_id=f"l{n}", customer_id=f"c{n}", status="closed_won", deal_value="10", owner=mark)
            | {"created_date": str(on), "closed_date": str(on), "updated_at": f"{on}T10:00:00Z", "source": mark}
            for n in range(2)
        ]
        calls: list[dict[str, object]] = [
            {"interaction_id": f"i{n}", "customer_id": f"c{n}", "outcome": mark, "interaction_at": f"{on} 09:00"}
            for n in range(3)
        ]
        calls.append({"interaction_id": "i9", "customer_id": f"{mark}", "channel": "call", "interaction_at": mark})
        products: list[dict[str, object]] = [{"product_id": "p1", "product_name": mark, "list_price": "1"}]
        land(landing, tenant.name, "customers", on, f"{mark}.csv", customers)
        land(landing, tenant.name, "leads", on, f"{mark}.csv", leads)
        path = land(landing, tenant.name, "interactions", on, f"{mark}.csv", calls)
        with path.open("a") as stream:
            stream.write(f"i10,{mark}\n")
        path = land(landing, tenant.name, "products", on, f"{mark}.csv", products)
        path.with_name(f"refused-{mark}.csv").write_text(f"{mark}\n1\n")
        path.with_name(f"unknown-{mark}.xyz").touch()


def assert_none_of(others: Collection[Tenant], text: str, where: str) -> None:
    """No trace of other tenants in a text."""
    for other in others:
        found = other.traces.search(text)
        assert found is None, (
            f"{where} tells of {other.name}: …{text[max(0, found.start() - 200) : found.end() + 100]}…"
        )
