"""A tenant that falls behind is told once, by the check that the schedule runs every day."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.automation import FRESHNESS, schedules
from lakehouse_assets.backfill import backfill
from lakehouse_assets.definitions import defs
from lakehouse_assets.house import open_house
from lakehouse_assets.lake.alerts import sinks
from lakehouse_assets.lake.freshness import Staleness, tell_of_stale_tenants
from lakehouse_assets.lake.names import TableName
from lakehouse_assets_tests.pipeline.crm_landings import land
from lakehouse_assets_tests.webhooks import Receiver, listening

TOP, SALES = TableName("crm", "gold", "top_customers"), TableName("crm", "gold", "sales_summary")
DAY = date(2026, 1, 5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as started:
        yield started


def check(instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    """The run that the schedule starts."""
    (schedule,) = (found for found in schedules() if found.name == "freshness_by_tenant_daily")
    run = defs.get_repository_def().get_job(schedule.job_name).execute_in_process(instance=instance)
    (evaluation,) = run.get_asset_check_evaluations()
    assert evaluation.asset_check_key == FRESHNESS
    return evaluation


def test_a_tenant_is_told_when_it_falls_behind_and_not_again_while_it_stays_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    for tenant in ("acme", "globex"):
        land(tmp_path / "landing", tenant, "products", DAY, "p.csv", [{"product_id": "p1", "list_price": 3}])
    monkeypatch.setenv("LAKEHOUSE_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(tmp_path / "lake"))
    monkeypatch.setenv("LAKEHOUSE_ALERT_WEBHOOK", receiver.url)
    house = open_house()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    gold = [name for name in house.tables if (name.domain, name.layer) == ("crm", "gold")]
    with dg.DagsterInstance.ephemeral() as instance, caplog.at_level(logging.ERROR, logger="lakehouse_assets"):
        assert backfill(house, gold, ["acme"], yesterday, yesterday, instance=instance).is_complete
        assert not check(instance).passed
        (told,) = receiver.received
        assert (told["kind"], told["severity"], told["tenant_id"]) == ("stale_tenant", "error", "globex")
        assert all(str(name) in told["message"] for name in gold)
        assert [json.loads(record.message)["tenant_id"] for record in caplog.records] == ["globex"]

        assert not check(instance).passed
        assert len(receiver.received) == len(caplog.records) == 1

        assert backfill(house, gold, ["globex"], yesterday, yesterday, instance=instance).is_complete
        assert check(instance).passed
        assert len(receiver.received) == 1


def told(
    stale: dict[TableName, list[Staleness]], before: dict[str, list[str]], receiver: Receiver
) -> dict[str, list[str]]:
    return tell_of_stale_tenants(stale, before, sinks(receiver.url), run_id="run")


def test_only_what_has_newly_fallen_behind_is_told(receiver: Receiver) -> None:
    stale = {TOP: [Staleness("acme", DAY)], SALES: [Staleness("acme", DAY), Staleness("globex", None)]}
    assert told(stale, {"acme": [str(TOP)]}, receiver) == {"acme": [str(TOP), str(SALES)], "globex": [str(SALES)]}
    assert [(one["tenant_id"], one["table"], one["date"]) for one in receiver.received] == [
        ("acme", str(SALES), str(DAY)),
        ("globex", str(SALES), None),
    ]


def test_a_tenant_that_had_caught_up_is_told_again(receiver: Receiver) -> None:
    stale = {TOP: [Staleness("acme", DAY)]}
    caught_up = told({TOP: []}, told(stale, {}, receiver), receiver)
    assert caught_up == {}
    told(stale, caught_up, receiver)
    assert len(receiver.received) == 2


def test_an_alert_that_was_not_delivered_is_sent_again_at_the_next_evaluation(receiver: Receiver) -> None:
    stale = {TOP: [Staleness("acme", DAY)]}
    receiver.statuses = [400]
    undelivered = told(stale, {}, receiver)
    assert undelivered == {}
    assert told(stale, undelivered, receiver) == {"acme": [str(TOP)]}
    assert len(receiver.received) == 2
