"""The one family of errors that the lakehouse raises on purpose.

Belongs here: the classes, each saying when it is raised. Not here: recovery, and the wording of a
message, which is written where the facts are known: it names the table or file, the culprit and the fix.
"""

from __future__ import annotations


class LakeError(Exception):
    """Root of every error raised on purpose; catching it never hides a programming fault."""


class LandingError(LakeError):
    """The landing zone cannot be read: its root is missing, or the object store refuses."""


class SourceChangedError(LandingError):
    """A landed file vanished or changed while it was read; what was read of it must not be kept."""


class ContractError(LakeError):
    """A table, contract or source is declared in a way that cannot work."""


class StorageError(LakeError):
    """A table's files or log cannot be read or written."""


class LostRaceError(StorageError):
    """Another writer committed first: read anew and try again."""


class ComputationError(LakeError):
    """A table function returned other columns, types or dates than its contract promises."""


class UnreconciledError(ComputationError):
    """Rows that were read are not those that were counted: the step is wrong, or another writer came between."""


class SelectionError(LakeError):
    """What was asked for names no table, tenant or date of the lake."""


class SettingsError(LakeError):
    """A setting of the environment has no value that it can have."""
