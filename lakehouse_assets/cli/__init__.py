"""The `lakehouse` command.

Belongs here: the list of commands. Each lies in a module of its own and imports what it needs when it is called, so
that `lakehouse --help` answers at once.
"""

from __future__ import annotations

from lakehouse_assets.cli.app import main

__all__ = ["main"]
