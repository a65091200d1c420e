"""The lakehouse of this project: its domains' tables on the places that the settings name.

Belongs here: the list of domains. A new domain is one line here and a package in `domains`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from lakehouse_assets.lake.domain import Domain
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.landing import Landing
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.storage import Lake
from lakehouse_assets.lake.table import Table, declared_tables, tables_of_sources
from lakehouse_assets.settings import Settings

DOMAINS = ("crm", "commerce")
LAYERS = ("silver", "gold", "platinum")


@cache
def domains() -> dict[str, Domain]:
    """The domains by name."""
    return {name: import_module(f"lakehouse_assets.domains.{name}").DOMAIN for name in DOMAINS}


@cache
def tables() -> Mapping[TableName, Table]:
    """Every table of every domain, an input before its readers."""
    for name in DOMAINS:
        tables_of_sources(import_module(f"lakehouse_assets.domains.{name}.sources").SOURCES)
        package = import_module(f"lakehouse_assets.domains.{name}")
        # A large layer is several modules: `silver`, `silver_telemetry`.
        for module in iter_modules(package.__path__):
            if module.name.partition("_")[0] in LAYERS:
                import_module(f"{package.__name__}.{module.name}")
    return declared_tables()


def open_house(settings: Settings | None = None) -> Lakehouse:
    """The lakehouse that the settings describe; the environment's where none are given."""
    chosen = settings or Settings.from_environment()
    return Lakehouse(
        landing=Landing(chosen.landing, chosen.storage_options),
        lake=Lake(chosen.root, chosen.storage_options),
        tables=tables(),
        start=chosen.start_date,
        chunk_bytes=chosen.chunk_bytes,
    )
