"""The commands that have commands of their own: `quarantine`, `maintain` and `catalog`.

Belongs here: their options and help. What they do lies in the module of the name, imported when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lakehouse_assets.cli.options import AsJson, DryRun, From, QuarantineTables, Rule, Select, Tenants, To, Yes
from lakehouse_assets.lake.keeping import KEPT_YEARS, VACUUM_HOURS

KEPT = " ".join(f"{layer}={years}y" for layer, years in KEPT_YEARS.items())
quarantine = typer.Typer(name="quarantine", no_args_is_help=True, help="Look at rejected rows, and build them again.")
maintain = typer.Typer(name="maintain", no_args_is_help=True, help="Keep the tables' files and the ledger in shape.")
catalog = typer.Typer(name="catalog", help="Write the DuckDB files of views, for other programs.")


@quarantine.command("list")
def quarantine_list(
    table: QuarantineTables = None,
    tenant: Tenants = None,
    first: From = None,
    last: To = None,
    rule: Rule = None,
    as_json: AsJson = False,
) -> None:
    """Count rejected rows by table, tenant, date and rule."""
    from lakehouse_assets.cli import quarantine as command

    command.list_counts(command.wanted(table, tenant, first, last, rule), as_json=as_json)


@quarantine.command("show")
def quarantine_show(
    table: QuarantineTables = None,
    tenant: Tenants = None,
    first: From = None,
    last: To = None,
    rule: Rule = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows to show")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show rejected rows: file and row number, reasons, and the values as they landed."""
    from lakehouse_assets.cli import quarantine as command

    command.show(command.wanted(table, tenant, first, last, rule), limit=limit, as_json=as_json)


@quarantine.command("replay")
def quarantine_replay(
    table: QuarantineTables = None,
    tenant: Tenants = None,
    first: From = None,
    last: To = None,
    rule: Rule = None,
    as_json: AsJson = False,
) -> None:
    """Build the partitions of rejected rows again, after what was wrong is mended."""
    from lakehouse_assets.cli import quarantine as command

    command.replay(command.wanted(table, tenant, first, last, rule), as_json=as_json)


@maintain.command()
def compact(select: Select = None, as_json: AsJson = False) -> None:
    """Merge small files within each partition, and write checkpoints."""
    from lakehouse_assets.cli import maintain as command

    command.compact(select, as_json=as_json)


@maintain.command()
def vacuum(
    select: Select = None,
    hours: Annotated[int, typer.Option("--hours", min=1, help="Keep files younger than this")] = VACUUM_HOURS,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete files that no newest version holds, those of writers that died among them."""
    from lakehouse_assets.cli import maintain as command

    command.vacuum(select, hours=hours, dry_run=dry_run, yes=yes, as_json=as_json)


@maintain.command()
def retention(
    select: Select = None,
    tenant: Tenants = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="LAYER=TIME",
            help=f"<layer>=<number>y or d; repeatable; by default as the setting says, else {KEPT}",
        ),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Drop the partitions that have outlived their layer. Lists them and asks."""
    from lakehouse_assets.cli import maintain as command

    command.retention(select, tenant, keep or [], dry_run=dry_run, yes=yes, as_json=as_json)


@maintain.command()
def ledger(
    select: Select = None,
    write: Annotated[bool, typer.Option("--write", help="Put what the receipts say into the ledger")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold the ledger against the receipts in the commits, and write it anew from them."""
    from lakehouse_assets.cli import maintain as command

    command.ledger(select, write=write, as_json=as_json)


@maintain.command()
def reset(
    table: Annotated[str, typer.Argument(help="The table, such as crm/silver/leads_clean")],
    tenant: Tenants = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take all rows out of a table, so that a backfill builds it anew."""
    from lakehouse_assets.cli import maintain as command

    command.reset(table, tenant, yes=yes, as_json=as_json)


@catalog.callback(invoke_without_command=True)
def catalog_views(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--folder", help="Where the files go")] = Path("data/catalog"),
    as_json: AsJson = False,
) -> None:
    """Write a DuckDB file of views for each domain, for other programs; or see `docs`."""
    if context.invoked_subcommand is None:
        from lakehouse_assets.cli import catalog as command

        command.views(folder, as_json=as_json)


@catalog.command("docs")
def catalog_docs(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; status 1 where a file is out of date")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the data dictionary and the lineage of columns from the contracts and table functions."""
    from lakehouse_assets.cli import catalog as command

    command.docs(check=check, as_json=as_json)
