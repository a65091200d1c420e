"""The command's commands and how an error leaves it: a message on standard error and exit status 1."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from lakehouse_assets.lake.errors import LakeError

app = typer.Typer(
    name="lakehouse",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A multi-tenant lakehouse: every table is an asset, judged before it lands.",
)

type_of_dates = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
Select = Annotated[list[str] | None, typer.Option("--select", help="crm, crm/gold, crm/gold/customer_features, or an asset selection")]
Tenants = Annotated[list[str] | None, typer.Option("--tenant", help="A tenant; repeatable; all that have landed when none is named")]
From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First date; the first landed when not given")]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last date; the last landed when not given")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines")]


@app.command()
def plan(select: Select = None, tenant: Tenants = None, first: From = None, last: To = None, as_json: AsJson = False) -> None:
    """Show what `backfill` would build, and what is stale downstream of it. Writes nothing."""
    from lakehouse_assets.cli import build

    build.plan(select, tenant, first, last, as_json=as_json)


@app.command()
def backfill(
    select: Select = None,
    tenant: Tenants = None,
    first: From = None,
    last: To = None,
    as_json: AsJson = False,
    daemon: Annotated[bool, typer.Option("--daemon", help="Queue the runs for the daemon instead of running them here")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build what is up to date, too")] = False,
) -> None:
    """Build the partitions asked for and what they read, as far as missing or stale."""
    from lakehouse_assets.cli import build

    build.backfill(select, tenant, first, last, as_json=as_json, daemon=daemon, rebuild=rebuild)


def main() -> None:
    """Run the command; exit status 0 only when all that was asked for is done."""
    try:
        app()
    except LakeError as error:
        sys.stderr.write(f"lakehouse: {error}\n")
        sys.exit(1)
