"""The options that several commands have, declared once.

Belongs here: names and help texts. It is imported by `lakehouse --help`, so it imports nothing heavy.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

DATE = ["%Y-%m-%d"]

Select = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="TABLES", help="crm, crm/gold, crm/gold/customer_features, or an asset selection"),
]
Tenants = Annotated[
    list[str] | None, typer.Option("--tenant", metavar="NAME", help="A tenant; repeatable; all when none is named")
]
OneTenant = Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="Answer from this tenant's rows only")]
From = Annotated[
    datetime | None,
    typer.Option("--from", formats=DATE, metavar="DATE", help="First date; the first landed by default"),
]
To = Annotated[
    datetime | None, typer.Option("--to", formats=DATE, metavar="DATE", help="Last date; the last landed by default")
]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=DATE, metavar="DATE", help="As of this date; the newest built by default"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list what would be done")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking")]
Rule = Annotated[
    str | None, typer.Option("--rule", metavar="NAME", help="Only rows that broke this rule, such as unparsable")
]
QuarantineTables = Annotated[
    list[str] | None,
    typer.Option(
        "--table",
        metavar="TABLES",
        help="crm/silver/leads_clean, crm.quarantine.leads_files, or a selection; repeatable",
    ),
]
