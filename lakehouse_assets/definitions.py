"""The only Definitions: every declared table as an asset, and what automates them. Loads with an empty environment."""

from __future__ import annotations

import json
import warnings
from importlib.resources import files

import dagster as dg
from pydantic import PrivateAttr

from lakehouse_assets.automation import checks, schedules, sensors
from lakehouse_assets.house import domains, open_house, tables
from lakehouse_assets.lake.alerts import Sink, sinks
from lakehouse_assets.lake.assets import asset_of, partitions_definition
from lakehouse_assets.lake.catalog import catalog_tables, duckdb_resource
from lakehouse_assets.lake.keys import asset_key
from lakehouse_assets.lake.lakehouse import Lakehouse
from lakehouse_assets.lake.ledger import LANDING_FILES, LEDGER
from lakehouse_assets.settings import Settings
from lakehouse_assets.upkeep import upkeep, upkeep_schedule

# Backfill policies and code references are beta in Dagster; the lock file pins the release that is tested.
warnings.filterwarnings("ignore", category=dg.BetaWarning)


class LakehouseResource(dg.ConfigurableResource[Lakehouse]):
    """The lakehouse that the environment describes, opened once for all steps of a run."""

    _house: Lakehouse | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 (Dagster's signature)
        self._house = open_house()

    def open(self) -> Lakehouse:
        return self._house or open_house()

    def sinks(self) -> list[Sink]:
        """Where the alerts of failed checks go."""
        return sinks(Settings.from_environment().alert_webhook)


def bookkeeping(root: str) -> list[dg.AssetSpec]:
    """The platform's own tables: written by every run, built by none."""
    described = {
        LEDGER: "One row per table and (tenant, date) built: what from, with which code, and how many rows became what",
        LANDING_FILES: "One row per file that bronze has read: its content's digest, its records, its events' dates",
    }
    return [
        dg.AssetSpec(
            asset_key(name),
            description=description,
            group_name=name.domain,
            kinds={"deltalake", name.layer},
            metadata={"dagster/table_name": str(name), "dagster/uri": f"{root.rstrip('/')}/{name.path}"},
        )
        for name, description in described.items()
    ]


def build_defs() -> dg.Definitions:
    """Assemble the code location from the declared tables and the settings."""
    settings = Settings.from_environment()
    partitions = partitions_definition(settings.start_date)
    lineage = json.loads((files("lakehouse_assets") / "column_lineage.json").read_text())
    root = settings.root if "://" in settings.root else f"file://{settings.root}"
    assets = [
        asset_of(
            table,
            domains()[name.domain],
            partitions,
            uri=f"{root.rstrip('/')}/{name.path}",
            lineage=lineage.get(str(name)),
        )
        for name, table in tables().items()
    ]
    in_sql = duckdb_resource(settings.root, catalog_tables(tables()), storage_options=settings.storage_options)
    return dg.Definitions(
        assets=[*assets, *bookkeeping(root)],
        asset_checks=checks(),
        sensors=sensors(),
        schedules=[*schedules(), upkeep_schedule()],
        jobs=[upkeep],
        # The second is for assets and notebooks that ask in SQL.
        resources={"lakehouse": LakehouseResource(), "duckdb": in_sql},
        executor=dg.in_process_executor,
    )


defs = build_defs()
