"""The code version of a table: a digest of all the project's code that decides its rows.

A function is followed into every function and class of this project that it names, so a change in a shared formula
makes the tables stale that use it, and no others. Docstrings, comments and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

LENGTH = 16


def code_version(*parts: Any) -> str:
    """Digest of functions, classes and plain values, with the project's own code that they reach."""
    digest = hashlib.sha256()
    seen: set[int] = set()
    for part in parts:
        for text in _texts(part, seen):
            digest.update(text.encode())
    return digest.hexdigest()[:LENGTH]


def _texts(part: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(part, (FunctionType, type)):
        if id(part) in seen:
            return
        seen.add(id(part))
        yield ast.unparse(_tree(part))
        for used in _used_by(part):
            yield from _texts(used, seen)
    else:
        yield repr(part)


@cache
def _tree(part: Any) -> ast.Module:
    tree = ast.parse(textwrap.dedent(inspect.getsource(part)))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body[0] = ast.Pass()
    return tree


def _used_by(part: Any) -> list[Any]:
    """The project's functions, classes and constants that the code of `part` names, sorted by name."""
    scope = vars(sys.modules[part.__module__])
    project = part.__module__.split(".")[0]
    found: dict[str, Any] = {}
    for node in ast.walk(_tree(part)):
        if isinstance(node, ast.Name):
            found[node.id] = scope.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = scope.get(node.value.id)
            if isinstance(module, ModuleType) and module.__name__.split(".")[0] == project:
                found[f"{node.value.id}.{node.attr}"] = vars(module).get(node.attr)
    return [found[name] for name in sorted(found) if _is_ours(found[name], project)]


def _is_ours(value: Any, project: str) -> bool:
    if isinstance(value, (FunctionType, type)):
        return value.__module__.split(".")[0] == project
    return isinstance(value, (str, int, float, bytes, tuple)) and not isinstance(value, bool)
