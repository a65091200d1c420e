"""commerce: customers and what they buy, their app events, their devices' telemetry, and documents about them.

The tables are declared in the modules named after their layers; bronze follows from `sources`.
"""

from __future__ import annotations

from lakehouse_assets.lake.domain import Domain

DOMAIN = Domain(
    name="commerce",
    description="Customer 360, revenue, telemetry alerts and documents",
    owners=("team:commerce",),
)
