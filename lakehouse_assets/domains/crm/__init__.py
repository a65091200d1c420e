"""crm: leads, customers, interactions and products; lead scores, sales figures and the odds of a deal.

The tables are declared in `silver`, `gold` and `platinum`; bronze follows from `sources`.
"""

from __future__ import annotations

from lakehouse_assets.lake.domain import Domain

DOMAIN = Domain(
    name="crm",
    description="Lead scoring and sales: leads, customers, interactions, products",
    owners=("team:crm",),
)
