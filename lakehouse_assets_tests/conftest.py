"""What holds for every test. Fixtures of one subject stay beside the tests that use them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code. Every run tries the same examples, so that
# a red test is red for everyone; --hypothesis-profile=searching tries others each time.
settings.register_profile("searching", deadline=None, print_blob=True)
settings.register_profile("seeded", settings.get_profile("searching"), derandomize=True)
settings.load_profile("seeded")


@pytest.fixture(scope="session", autouse=True)
def _settings_of_this_machine_are_left_out() -> Iterator[None]:
    """No test reads the lake, the landing zone or the Dagster storage that the person at the keyboard works with."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("LAKEHOUSE_", "DAGSTER_"))]:
            patch.delenv(name)
        yield
