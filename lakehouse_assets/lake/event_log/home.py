"""Folders of Dagster's storage that follow DAGSTER_HOME.

Belongs here: turning dagster.yaml's relative folders into absolute ones; a copy of the file in another
DAGSTER_HOME then keeps its files there. Not here: the databases.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._serdes import ConfigurableClassData


def under_home(folder: str) -> str:
    """Return the folder below DAGSTER_HOME, or below the working directory where `dagster dev` runs without one."""
    home = os.environ.get("DAGSTER_HOME")
    return str((Path(home).expanduser() if home else Path.cwd()) / folder)


class HomeArtifactStorage(LocalArtifactStorage):
    """Files of schedules and sensors below DAGSTER_HOME."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(under_home(config_value["base_dir"]), inst_data)


class HomeComputeLogs(LocalComputeLogManager):
    """What steps print, below DAGSTER_HOME."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(**{**config_value, "base_dir": under_home(config_value["base_dir"])}, inst_data=inst_data)
