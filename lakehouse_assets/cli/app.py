"""The commands of `lakehouse`, and how an error leaves it: a message on standard error and exit status 1.

Belongs here: each command's options and help. What it does lies in the module of its name, imported when it is called,
so that `lakehouse --help` answers at once. The commands with commands of their own are in `groups`.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lakehouse_assets.cli import groups
from lakehouse_assets.cli.options import AsJson, AsOf, From, OneTenant, Select, Tenants, To
from lakehouse_assets.lake.errors import LakeError


class Commands(TyperGroup):
    """Ends with a message and status 1 where something is refused on purpose; faults keep their traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LakeError as error:
            typer.echo(f"lakehouse: {error}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    name="lakehouse",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A multi-tenant lakehouse: every table is an asset, judged before it lands.",
)
app.add_typer(groups.quarantine)
app.add_typer(groups.maintain)
app.add_typer(groups.catalog)


@app.command()
def demo(tenant: Tenants = None, as_json: AsJson = False) -> None:
    """Build every table from the landing zone, and show what came out and where to look next."""
    from lakehouse_assets.cli import demo as command

    command.demo(tenant, as_json=as_json)


@app.command()
def plan(
    select: Select = None, tenant: Tenants = None, first: From = None, last: To = None, as_json: AsJson = False
) -> None:
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
    daemon: Annotated[
        bool, typer.Option("--daemon", help="Queue the runs for the daemon instead of running them here")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Also build what is up to date, and what retention dropped")
    ] = False,
) -> None:
    """Build the partitions asked for and what they read, as far as missing or stale."""
    from lakehouse_assets.cli import build

    build.backfill(select, tenant, first, last, as_json=as_json, daemon=daemon, rebuild=rebuild)


@app.command()
def status(
    select: Select = None,
    tenant: Tenants = None,
    stale: Annotated[bool, typer.Option("--stale", help="Also count what is stale; opens new files")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how far and how well each table is built, by tenant, and which files were refused."""
    from lakehouse_assets.cli import status as command

    command.status(select, tenant, with_stale=stale, as_json=as_json)


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help='One SELECT over tables such as crm.gold."customer_features"')],
    tenant: OneTenant = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows to show; --json gives all")] = 50,
    as_json: AsJson = False,
) -> None:
    """Answer a SELECT from the lake."""
    from lakehouse_assets.cli import sql as command

    command.sql(statement, tenant, limit=limit, as_json=as_json)


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="Words to look for in documents")],
    tenant: Annotated[str, typer.Option("--tenant", metavar="NAME", help="The tenant whose documents are searched")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="Chunks to show")] = 10,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Find what a tenant's documents say about a question."""
    from lakehouse_assets.cli import search as command

    command.search(question, tenant, as_of=as_of.date() if as_of else None, limit=limit, as_json=as_json)


@app.command()
def tenants(as_json: AsJson = False) -> None:
    """List the tenants: landed, registered with Dagster, and built up to when."""
    from lakehouse_assets.cli import tenants as command

    command.tenants(as_json=as_json)


def main() -> None:
    """Run the command; exit status 0 only when all that was asked for is done."""
    app()
