"""The code version of a table: a digest of all the project's code that decides its rows.

A function is followed into every function, class and constant of this project that it names, so a change in a shared
formula makes the tables stale that use it, and no others. Docstrings, comments and layout do not count. Not followed:
other packages, names put together at run time, attributes of objects, and the framework but for its values: what it
makes of a declaration has a version of its own, which the declaration passes in.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import polars as pl

from lakehouse_assets.lake.errors import ContractError

LENGTH = 16
FRAMEWORK = "lakehouse_assets.lake."
VALUES = "lakehouse_assets.lake.values"
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def code_version(*parts: Any) -> str:
    """Digest of functions, classes and plain values, with the project's own code that they reach.

    Raises ContractError for a value that is not the same in every process.
    """
    digest = hashlib.sha256()
    seen: set[int] = set()
    for part in parts:
        for text in _texts(part, seen):
            digest.update(f"{len(text)}:{text}".encode())  # the length keeps neighbours apart
    return digest.hexdigest()[:LENGTH]


def _texts(part: Any, seen: set[int]) -> Iterator[str]:
    part = inspect.unwrap(part) if callable(part) else part
    if isinstance(part, (FunctionType, type)):
        if id(part) in seen:
            return
        seen.add(id(part))
        yield ast.unparse(_tree(part))
        for name, used in _used_by(part):
            yield name
            yield from _texts(used, seen)
    elif isinstance(part, Mapping):
        for key in sorted(part, key=repr):
            yield repr(key)
            yield from _texts(part[key], seen)
    elif isinstance(part, (list, tuple)):
        yield f"{type(part).__name__} of {len(part)}"
        for item in part:
            yield from _texts(item, seen)
    elif isinstance(part, (set, frozenset)):
        yield from sorted(repr(item) for item in part)
    else:
        if ADDRESS.search(text := _plain(part)):
            raise ContractError(f"{text} names a place in memory, which no other process has: declare plain values")
        yield text


@cache
def _tree(part: Any) -> ast.Module:
    tree = ast.parse(textwrap.dedent(inspect.getsource(part)))
    for node in ast.walk(tree):
        if isinstance(node, SCOPES) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _used_by(part: Any) -> list[tuple[str, Any]]:
    """The project's functions, classes and constants that the code of `part` names, sorted by name."""
    tree = _tree(part)
    project = part.__module__.split(".")[0]
    scope = vars(sys.modules[part.__module__]) | _imported_inside(tree)
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in scope:
            found[node.id] = scope[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = scope.get(node.value.id)
            if isinstance(module, ModuleType) and module.__name__.split(".")[0] == project:
                found[f"{node.value.id}.{node.attr}"] = vars(module).get(node.attr)
    return [(name, found[name]) for name in sorted(found) if _counts(found[name], project)]


def _imported_inside(tree: ast.Module) -> dict[str, Any]:
    """What functions import in their bodies, by the name that they give it."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in sys.modules:
            module = sys.modules[node.module]
            for alias in node.names:
                found[alias.asname or alias.name] = vars(module).get(alias.name)
    return found


def _counts(value: Any, project: str) -> bool:
    """Whether a named value is the project's code, or a constant that says the same in every process."""
    if isinstance(value, ModuleType) or value is None:
        return False
    value = inspect.unwrap(value) if callable(value) else value
    if isinstance(value, (FunctionType, type)):
        return value.__module__.split(".")[0] == project and not _is_framework(value.__module__)
    if callable(value):
        return False
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(_counts(item, project) or item is None for item in value)
    if isinstance(value, Mapping):
        return all(_counts(item, project) or item is None for item in value.values())
    return not ADDRESS.search(_plain(value))


def _is_framework(module: str) -> bool:
    return module.startswith(FRAMEWORK) and not module.startswith(VALUES)


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, pl.Expr) else repr(value)
