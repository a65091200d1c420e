"""An emulator of each kind for the whole session (of each worker, where there are several), and a landing on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse_assets_tests.emulators import servers
from lakehouse_assets_tests.emulators.landed import Landed, land
from lakehouse_assets_tests.emulators.servers import Emulator


@pytest.fixture(scope="session")
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with getattr(servers, request.param)() as started, pytest.MonkeyPatch.context() as patch:
        # Credentials of the machine are none of the test's.
        for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_"))]:
            patch.delenv(name)
        for name, value in started.environment.items():
            patch.setenv(name, value)
        yield started


@pytest.fixture(scope="session")
def landed(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """The same files in the store and in a folder, and the lake that comes of those in the folder."""
    folder: Path = tmp_path_factory.mktemp(emulator.name)
    return land(emulator, folder)
