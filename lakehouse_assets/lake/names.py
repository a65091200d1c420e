"""One name for one thing: `<domain>.<layer>.<table>` and the forms it takes.

Belongs here: addresses. Not here: where the lake is (`storage`) and what a table holds (`contract`).
"""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from lakehouse_assets.lake.errors import ContractError, LakeError

LAYERS = ("bronze", "silver", "gold", "platinum")
QUARANTINE = "quarantine"
TENANT_PATTERN = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")


class TableName(NamedTuple):
    """The address of a table, the same in Dagster, in the lake and in SQL."""

    domain: str
    layer: str
    table: str

    def __str__(self) -> str:
        return ".".join(self)

    @property
    def key(self) -> tuple[str, str, str]:
        """The asset key's parts."""
        return (self.domain, self.layer, self.table)

    @property
    def path(self) -> str:
        """The folder below the lake root."""
        return "/".join(self)

    @property
    def parameter(self) -> str:
        """The name a table function gives it: `gold_customer_features`."""
        return f"{self.layer}_{self.table}"

    @property
    def quarantine(self) -> TableName:
        """Where its rejected rows are; for bronze, where its files' malformed records are."""
        suffix = "_files" if self.layer == "bronze" else ""
        return TableName(self.domain, QUARANTINE, self.table + suffix)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `crm.gold.customer_features` or `crm/gold/customer_features`."""
        parts = re.split(r"[./]", text.strip())
        if len(parts) != 3 or not all(parts):
            raise LakeError(f"'{text}' names no table: write <domain>.<layer>.<table>")
        return cls(*parts)

    @classmethod
    def of_parameter(cls, domain: str, parameter: str) -> Self:
        """The table that a function's parameter names: `silver_leads_clean` of its own domain."""
        layer, _, table = parameter.partition("_")
        if layer not in LAYERS or not table:
            raise ContractError(f"'{parameter}' names no table: write <layer>_<table>")
        return cls(domain, layer, table)


def check_tenant(tenant_id: str) -> str:
    """Return the tenant's name, or raise for one that could leave its folder."""
    if not TENANT_PATTERN.fullmatch(tenant_id):
        raise LakeError(f"tenant {tenant_id!r} is no tenant name: it must match {TENANT_PATTERN.pattern}")
    return tenant_id
