"""Writes a made-up landing zone: `python -m lakehouse_assets_tests.landing_zones --rows 1000000 --to <folder>`.

Belongs here: options to a `Spec`, one to one. Not here: anything that decides what lands.
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse_assets_tests.landing_zones import Spec, generate
from lakehouse_assets_tests.landing_zones.spec import FORMATS


def main() -> None:
    parser = argparse.ArgumentParser(prog="landing_zones", description=Spec.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--to", type=Path, required=True, help="the landing root, made where it is missing")
    for field in fields(Spec):
        options: dict[str, Any] = {"type": type(field.default), "default": field.default}
        if isinstance(field.default, date):
            options["type"] = date.fromisoformat
        elif isinstance(field.default, tuple):
            options |= {"type": str, "nargs": "+", "choices": FORMATS if field.name == "formats" else None}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **options)
    given = vars(parser.parse_args())
    root: Path = given.pop("to")
    given |= {name: tuple(given[name]) for name in ("tenants", "formats")}
    generate(root, Spec(**given))
    files = [path for path in root.rglob("*") if path.is_file()]
    print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB below {root}")  # noqa: T201


if __name__ == "__main__":
    main()
