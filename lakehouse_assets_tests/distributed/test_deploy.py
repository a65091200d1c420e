"""The files in deploy/ against each other: what is said twice is said alike."""

from __future__ import annotations

import yaml

from lakehouse_assets_tests.distributed.cluster import DEPLOY
from lakehouse_assets_tests.faults.places import PROJECT


def test_the_instance_of_workers_differs_from_that_of_one_machine_in_what_concerns_workers() -> None:
    workers = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    alone = yaml.safe_load((PROJECT / "deploy" / "dagster.postgres.yaml").read_text())
    assert workers.pop("run_launcher")
    for section in ("concurrency", "run_monitoring"):
        assert workers.pop(section) != alone.pop(section)
    assert workers == alone


def test_workers_and_launcher_meet_at_the_same_broker() -> None:
    launcher = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())["run_launcher"]["config"]
    worker = yaml.safe_load((DEPLOY / "worker.yaml").read_text())["execution"]["config"]
    assert {name: launcher[name] for name in ("broker", "backend")} == {
        name: worker[name] for name in ("broker", "backend")
    }
