"""The rules of the house that no type shows: how the parts depend on each other, and what no file may hold.

Rules that ruff knows (heavy imports at module level, swallowed exceptions, …) are in pyproject.toml, and hold because
ruff is run here. Not here: what the code does.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lakehouse_assets"
MODULES = sorted([*PACKAGE.rglob("*.py"), *Path(__file__).parent.rglob("*.py")])
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

LONGEST_MODULE = 350
OUTER = ("lakehouse_assets.automation", "lakehouse_assets.cli", "lakehouse_assets.definitions")
FORBIDDEN_IMPORTS = {
    "lake": (*OUTER, "lakehouse_assets.domains", "lakehouse_assets.models"),
    "models": (*OUTER, "lakehouse_assets.domains"),
    "domains": OUTER,
}
VAGUE_WORDS = {"common", "handler", "helper", "helpers", "manager", "processor", "util", "utils"}
TEXTS = {".cfg", ".csv", ".lock", ".md", ".py", ".toml", ".txt", ".yaml", ".yml", ""}
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:work|root|home|Users|tmp|opt)/[\w.-]")


def _name(module: Path) -> str:
    return module.relative_to(ROOT).as_posix()


def _imported(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def _texts() -> list[Path]:
    folders = [folder for name in (".ci", "data/landing", "docs") if (folder := ROOT / name).is_dir()]
    found = [*MODULES, *ROOT.iterdir(), *(file for folder in folders for file in folder.rglob("*"))]
    return [file for file in found if file.is_file() and file.suffix in TEXTS and file.name != ".git"]


def test_modules_are_short_enough_to_be_read_in_one_go() -> None:
    lengths = {_name(module): len(module.read_text().splitlines()) for module in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


@pytest.mark.parametrize("part", FORBIDDEN_IMPORTS)
def test_imports_point_inwards(part: str) -> None:
    outward = [
        (_name(module), name)
        for module in (PACKAGE / part).rglob("*.py")
        for name in _imported(module)
        if any(_within(name, forbidden) for forbidden in FORBIDDEN_IMPORTS[part])
    ]
    assert outward == []


def test_no_domain_imports_another() -> None:
    domains = {f"lakehouse_assets.domains.{folder.name}": folder for folder in (PACKAGE / "domains").iterdir()}
    across = [
        (_name(module), name)
        for domain, folder in domains.items()
        for module in folder.rglob("*.py")
        for name in _imported(module)
        if _within(name, "lakehouse_assets.domains") and not _within(name, domain)
    ]
    assert across == []


def test_names_say_what_a_thing_does() -> None:
    defined = [(_name(module), module.stem) for module in MODULES]
    defined += [
        (_name(module), node.name)
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    words = {(where, name): re.findall(r"[A-Z]?[a-z]+", name) for where, name in defined}
    assert [where for where, said in words.items() if VAGUE_WORDS & {word.lower() for word in said}] == []


def test_no_file_knows_the_machine_that_it_was_written_on() -> None:
    found = {
        f"{_name(text)}:{number}": line
        for text in _texts()
        for number, line in enumerate(text.read_text(errors="replace").splitlines(), 1)
        if MACHINE_PATH.search(line)
    }
    assert found == {}


def test_the_lock_holds_names_versions_and_hashes_only() -> None:
    pinned = r"[a-z0-9.-]+(?:\[[a-z0-9,-]+\])?==\S+(?: ; [^;\\]+)? \\"
    hashed = r"    --hash=sha256:[0-9a-f]{64}(?: \\)?"
    assert [line for line in LOCK.splitlines() if not re.fullmatch(f"{pinned}|{hashed}", line)] == []


def test_the_lock_answers_every_range_of_the_project() -> None:
    pins = re.findall(r"^([a-z0-9.-]+)==(\S+)", LOCK, re.MULTILINE)
    locked = {canonicalize_name(name): version for name, version in pins}
    extras: list[list[str]] = list(PROJECT["optional-dependencies"].values())
    asked = [Requirement(text) for group in [PROJECT["dependencies"], *extras] for text in group]
    unanswered = [
        str(requirement)
        for requirement in asked
        if locked.get(canonicalize_name(requirement.name), "") not in requirement.specifier
    ]
    assert unanswered == [], "`make lock` solves the ranges again"


@pytest.mark.parametrize("command", ["ruff check --quiet .", "ruff format --check --quiet .", "mypy"])
def test_the_checkers_find_nothing(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"{command}\n{done.stdout}{done.stderr}", pytrace=False)
