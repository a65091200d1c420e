"""The story that most tests of faults play, built once."""

from __future__ import annotations

import pytest

from lakehouse_assets_tests.faults.places import local
from lakehouse_assets_tests.faults.rounds import THOROUGH
from lakehouse_assets_tests.faults.stories import Story, tell


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """For looking only: a test works on lakes of its own beside these."""
    place = local(tmp_path_factory.mktemp("story") / "place")
    if THOROUGH:
        return tell(place)
    return tell(place, tenants=("acme",), days=2, rows=120)
