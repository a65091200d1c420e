"""A code version changes with all code that decides a table's rows, and with nothing else.

Each case writes a small project of two modules, as a domain and the formulas that it shares, and edits it.
"""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from lakehouse_assets.lake.code_version import code_version
from lakehouse_assets.lake.errors import ContractError

FORMULAS = '''
"""Formulas."""
import polars as pl

TAX = 1
SURCHARGE = 23
RATES = ("low", 0.2)


class Money:
    """A sum."""

    def rounded(self, cents):
        """Half-even."""
        return round(cents, 2)


def doubled(value):
    """Twice the value."""
    return value * 2


def gross(value):
    # the tax comes last
    return Money().rounded(doubled(value) + TAX + SURCHARGE + len(RATES))


def unrelated(value):
    return value - 1
'''
SILVER = '''
import polars as pl

from {project} import formulas
from {project}.formulas import gross
from lakehouse_assets.lake.contract import Contract, column, flag, reject

FLOOR = 0


class Sales(Contract):
    """One row per sale."""

    sale_id: str = column("Sale", key=True)
    amount: float = column("Amount", unit="USD", ge=0)

    @reject
    def too_small(cls) -> pl.Expr:
        """The amount lies under the floor."""
        return pl.col("amount") >= FLOOR


def silver_sales(bronze_sales):
    """A sale is a sale."""
    return bronze_sales.with_columns(gross(pl.col("amount")))


def silver_returns(bronze_returns):
    return bronze_returns.with_columns(formulas.doubled(pl.col("amount")))
'''
NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def _modules_are_forgotten(tmp_path: Path) -> Iterator[None]:
    known = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        yield
    for name in set(sys.modules) - known:
        if name.startswith("project_"):
            del sys.modules[name]


def project(folder: Path, *edits: tuple[str, str], name: str | None = None) -> ModuleType:
    """The domain's module in a project of its own, each edit made once in one of its two files."""
    name = name or f"project_{next(NUMBERS)}"
    texts = {"formulas.py": FORMULAS, "silver.py": SILVER.format(project=name)}
    for before, after in edits:
        found = [file for file, text in texts.items() if text.count(before) == 1]
        assert len(found) == 1, f"{before!r} is not once in one file"
        texts[found[0]] = texts[found[0]].replace(before, after)
    (folder / name).mkdir(exist_ok=True)
    for file, text in texts.items():
        (folder / name / file).write_text(text)
    importlib.invalidate_caches()
    return importlib.import_module(f"{name}.silver")


def of_sales(module: ModuleType) -> str:
    return code_version(module.Sales, module.silver_sales)


def of_returns(module: ModuleType) -> str:
    return code_version(module.silver_returns)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(('bronze_sales.with_columns(gross(pl.col("amount")))', "bronze_sales"), id="the function"),
        pytest.param(("doubled(value) + TAX", "doubled(value) - TAX"), id="a function that it calls"),
        pytest.param(("return value * 2", "return value + value"), id="a function called by that one"),
        pytest.param(("round(cents, 2)", "round(cents, 3)"), id="a method of a class in use"),
        pytest.param(("TAX = 1\n", "TAX = 2\n"), id="a number"),
        pytest.param(('("low", 0.2)', '("low", 0.3)'), id="a tuple"),
        pytest.param(("FLOOR = 0", "FLOOR = 1"), id="a constant of a rule"),
        pytest.param(('pl.col("amount") >= FLOOR', 'pl.col("amount") > FLOOR'), id="a rule"),
        pytest.param(("@reject", "@flag"), id="its action"),
        pytest.param(("ge=0", "ge=1"), id="a check of a column"),
        pytest.param(('column("Sale", key=True)', 'column("Sale")'), id="the key"),
        pytest.param(("amount: float", "amount: int"), id="a type"),
    ],
)
def test_what_decides_the_rows_changes_the_version(tmp_path: Path, edit: tuple[str, str]) -> None:
    assert of_sales(project(tmp_path, edit)) != of_sales(project(tmp_path))


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(("# the tax comes last", "# last of all, the tax\n    # and nothing after it"), id="a comment"),
        pytest.param(('"""A sale is a sale."""', '"""A sale is what was sold."""'), id="a docstring"),
        pytest.param(("return value * 2", "return (\n        value\n        * 2\n    )"), id="the layout"),
        pytest.param(("return value - 1", "return value - 2"), id="code that nothing uses"),
    ],
)
def test_what_does_not_touch_the_rows_leaves_the_version(tmp_path: Path, edit: tuple[str, str]) -> None:
    assert of_sales(project(tmp_path, edit)) == of_sales(project(tmp_path))


def test_a_change_touches_the_tables_that_use_it_and_no_others(tmp_path: Path) -> None:
    before, after = project(tmp_path), project(tmp_path, ("TAX = 1\n", "TAX = 2\n"))
    assert of_sales(after) != of_sales(before)
    assert of_returns(after) == of_returns(before)


def test_a_formula_named_through_its_module_counts(tmp_path: Path) -> None:
    before, after = project(tmp_path), project(tmp_path, ("return value * 2", "return value + value"))
    assert of_returns(after) != of_returns(before)


def test_code_without_a_source_is_refused() -> None:
    made = type("Made", (), {"__module__": __name__})
    with pytest.raises(ContractError, match="Made has no source: write it into a module"):
        code_version(made)


def test_parameters_of_the_declaration_count() -> None:
    versions = {
        code_version(1, "a", 0.2),
        code_version(2, "a", 0.2),
        code_version(1, "b", 0.2),
        code_version(1, "a", 0.3),
    }
    assert len(versions) == 4


def test_every_process_finds_the_same_versions_for_every_table() -> None:
    script = (
        "from lakehouse_assets.house import tables\n"
        "for name, table in tables().items(): print(name, table.code_version)"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "4711")
    ]
    assert told[0] == told[1]
    versions = [line.split()[1] for line in told[0].splitlines()]
    assert len(versions) == len(set(versions)) > 10


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 23), (12, 3)),
        (["a"], ["b"]),
        ({"a": 1}, {"a": 2}),
        (frozenset({"a"}), frozenset({"b"})),
        (True, False),
        (range(2), range(3)),
        (pl.col("a"), pl.col("b")),
    ],
)
def test_every_kind_of_constant_counts(one: object, other: object) -> None:
    assert code_version(one) == code_version(one)
    assert code_version(one) != code_version(other)


def test_a_value_without_a_stable_text_is_refused() -> None:
    with pytest.raises(ContractError, match="a place in memory"):
        code_version(object())
