"""A cluster for each test, with its lake on an S3 emulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse_assets_tests.distributed.cluster import Cluster, cluster
from lakehouse_assets_tests.emulators import servers
from lakehouse_assets_tests.emulators.landed import Landed, land
from lakehouse_assets_tests.faults.places import FIRST
from lakehouse_assets_tests.landing_zones import Spec

SELECT = ("crm/silver",)
SPEC = Spec(
    rows=200,
    tenants=("acme", "globex", "hooli"),
    first=FIRST,
    days=3,
    history_days=1,
    late=0.3,
    latest=1,
    gaps=0.0,
    formats=("csv", "ndjson"),
    seed=5,
)


@pytest.fixture
def landed(tmp_path: Path) -> Iterator[Landed]:
    with servers.s3() as emulator, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_"))]:
            patch.delenv(name)
        yield land(emulator, tmp_path, SPEC, SELECT)


@pytest.fixture
def running(landed: Landed) -> Iterator[Cluster]:
    with cluster(landed.lake("distributed")) as made:
        yield made
