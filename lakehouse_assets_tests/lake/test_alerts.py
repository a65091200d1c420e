"""Alerts: what they say and leave out, how they are delivered, and when the sensor sends one."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.lake.alerts import (
    Alert,
    AlertError,
    LogSink,
    WebhookSink,
    alert_for_run,
    alerts_for_checks,
    deliver,
    run_failure_alerts,
    sinks,
)
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition
from lakehouse_assets.lake.recording import record_materializations
from lakehouse_assets_tests.webhooks import Receiver, listening

LEADS = TableName("crm", "silver", "leads_clean")
ALERT = Alert(
    kind="check_failure",
    severity="error",
    message="crm.silver.leads_clean: check quality failed",
    table=str(LEADS),
    tenant_id="acme",
    date=date(2026, 1, 31),
    run_id="run",
)
PERSONAL = "jane.roe@example.org"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as started:
        yield started


def webhook(receiver: Receiver, timeout: float = 5.0) -> WebhookSink:
    return WebhookSink(receiver.url, timeout=timeout, attempts=3, pause=0.01)


# --- delivery --------------------------------------------------------------------------------------------------------


def test_an_alert_is_posted_as_json_with_a_text_for_chat_services(receiver: Receiver) -> None:
    webhook(receiver).send(ALERT)
    assert receiver.types == ["application/json"]
    assert receiver.received == [
        {
            "kind": "check_failure",
            "severity": "error",
            "message": "crm.silver.leads_clean: check quality failed",
            "text": "[error] crm.silver.leads_clean: check quality failed",
            "table": "crm.silver.leads_clean",
            "tenant_id": "acme",
            "date": "2026-01-31",
            "run_id": "run",
        }
    ]


@pytest.mark.parametrize("passing", [500, 503, 429])
def test_a_fault_that_may_pass_is_tried_again(receiver: Receiver, passing: int) -> None:
    receiver.statuses = [passing, passing]
    webhook(receiver).send(ALERT)
    assert len(receiver.received) == 3


@pytest.mark.parametrize("lasting", [400, 404, 302])
def test_a_refusal_or_a_redirect_is_told_at_once(receiver: Receiver, lasting: int) -> None:
    receiver.statuses = [lasting]
    with pytest.raises(AlertError, match=rf"^webhook on 127\.0\.0\.1: status {lasting} at attempt 1 of 3$"):
        webhook(receiver).send(ALERT)
    assert len(receiver.received) == 1


def test_a_server_that_does_not_answer_is_given_up_after_the_last_attempt(receiver: Receiver) -> None:
    receiver.may_answer.clear()
    with pytest.raises(AlertError, match="TimeoutError at attempt 3 of 3"):
        webhook(receiver, timeout=0.05).send(ALERT)


def test_a_server_that_is_not_there_is_given_up_without_telling_the_secret_address() -> None:
    with pytest.raises(AlertError) as error:
        WebhookSink("http://127.0.0.1:9/hook/secret-token", pause=0.01).send(ALERT)
    assert str(error.value) == "webhook on 127.0.0.1: ConnectionRefusedError at attempt 3 of 3"


@pytest.mark.parametrize("address", ["file:///etc/passwd", "hooks.example.org/x", "https://", "ftp://example.org/x"])
def test_an_address_that_is_none_is_refused_before_anything_fails(address: str) -> None:
    with pytest.raises(AlertError, match="LAKEHOUSE_ALERT_WEBHOOK"):
        sinks(address)


def test_the_log_always_gets_the_alert_and_the_webhook_only_when_it_is_set(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="lakehouse_assets"):
        assert deliver([ALERT], sinks(None)) == []
        assert receiver.received == []
        assert deliver([ALERT], sinks(receiver.url)) == []
    assert [json.loads(record.message)["table"] for record in caplog.records] == [str(LEADS)] * 2
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    assert len(receiver.received) == 1


def test_a_sink_that_fails_stops_neither_the_others_nor_the_caller(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.statuses = [400]
    failures = deliver([ALERT, ALERT], [webhook(receiver), LogSink()])
    assert failures == ["webhook on 127.0.0.1: status 400 at attempt 1 of 3"]
    assert len(receiver.received) == 2
    assert sum(record.message.startswith("{") for record in caplog.records) == 2
    assert "secret-token" not in caplog.text


# --- checks ----------------------------------------------------------------------------------------------------------


def result(name: str, severity: dg.AssetCheckSeverity, *, passed: bool) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"rows": 12, "share": 0.25, "example": PERSONAL}
    return dg.AssetCheckResult(check_name=name, passed=passed, severity=severity, metadata=metadata)


def test_a_check_that_failed_as_an_error_is_told_with_its_numbers_and_partitions() -> None:
    error, warning = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    results = [
        result("quality", error, passed=False),
        result("email", warning, passed=False),
        result("reconciliation", error, passed=True),
    ]
    days = [Partition("acme", date(2026, 1, day)) for day in (1, 2, 3, 5)] + [Partition("globex", date(2026, 1, 1))]
    (alert,) = alerts_for_checks(results, table=LEADS, run_id="run", partitions=days)
    assert alert.message == (
        "crm.silver.leads_clean: check quality failed for "
        "acme 2026-01-01 … 2026-01-03, acme 2026-01-05, globex 2026-01-01 (rows 12, share 0.25)"
    )
    assert (alert.table, alert.tenant_id, alert.date, alert.run_id) == (str(LEADS), None, None, "run")


@pytest.mark.parametrize(
    "days, tenant, day",
    [
        ([], None, None),
        ([("acme", 1)], "acme", date(2026, 1, 1)),
        ([("acme", 1), ("acme", 2)], "acme", None),
        ([("acme", 1), ("globex", 1)], None, date(2026, 1, 1)),
    ],
)
def test_tenant_and_date_are_set_where_the_alert_concerns_one(
    days: list[tuple[str, int]], tenant: str | None, day: date | None
) -> None:
    partitions = [Partition(name, date(2026, 1, number)) for name, number in days]
    failed = [result("quality", dg.AssetCheckSeverity.ERROR, passed=False)]
    (alert,) = alerts_for_checks(failed, table=LEADS, run_id="run", partitions=partitions)
    assert (alert.tenant_id, alert.date) == (tenant, day)


# --- runs ------------------------------------------------------------------------------------------------------------

PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "date": dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01"),
        "tenant": dg.StaticPartitionsDefinition(["acme", "globex"]),
    }
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def definitions(body: Callable[[dg.AssetExecutionContext], None], sensor: dg.SensorDefinition) -> dg.Definitions:
    # Dagster takes no postponed annotation for a context, and this module postpones all.
    @dg.asset(key=["crm", "silver", "leads_clean"], partitions_def=PARTITIONS)
    def leads(context) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
        body(context)

    @dg.asset(key=["crm", "gold", "lead_scores"], deps=[leads], partitions_def=PARTITIONS)
    def scores() -> None: ...

    return dg.Definitions([leads, scores], sensors=[sensor], executor=dg.in_process_executor)


def failing(context: dg.AssetExecutionContext) -> None:
    built = [key for key in context.partition_keys if key.endswith("acme")]
    record_materializations(context, {key: {} for key in built})
    raise ValueError(f"conversion failed for value {PERSONAL!r}")


def succeeding(_: dg.AssetExecutionContext) -> None: ...


def run(defs: dg.Definitions, instance: dg.DagsterInstance, **tags: str) -> dg.DagsterRun:
    job = defs.resolve_implicit_global_asset_job_def()
    span = {
        "dagster/asset_partition_range_start": "2026-01-01|acme",
        "dagster/asset_partition_range_end": "2026-01-03|globex",
    }
    result = job.execute_in_process(instance=instance, tags=span | tags, raise_on_error=False)
    return result.dagster_run


def tick(defs: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None) -> str | None:
    """Evaluate the sensor as the daemon does and return where it goes on."""
    context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=defs.get_repository_def())
    (sensor,) = defs.sensors or []
    assert isinstance(sensor, dg.SensorDefinition)
    outcome = sensor.evaluate_tick(context)
    assert outcome.run_requests == []
    return outcome.cursor


def test_a_failed_run_is_told_once_with_the_partitions_that_it_did_not_build(
    instance: dg.DagsterInstance, receiver: Receiver
) -> None:
    defs = definitions(failing, run_failure_alerts(receiver.url))
    cursor = tick(defs, instance, None)  # begins here; what failed before is not told
    failed = run(defs, instance)
    cursor = tick(defs, instance, cursor)
    tick(defs, instance, cursor)
    (told,) = receiver.received
    assert told["message"] == (
        f"run {failed.run_id} failed: crm.silver.leads_clean was not built for globex 2026-01-01 … 2026-01-03; "
        "not reached: crm.gold.lead_scores"
    )
    assert (told["kind"], told["severity"], told["run_id"]) == ("run_failure", "error", failed.run_id)
    assert (told["table"], told["tenant_id"], told["date"]) == ("crm.silver.leads_clean", "globex", None)


def test_no_value_of_a_row_that_an_error_quotes_leaves_the_house(instance: dg.DagsterInstance) -> None:
    failed = run(definitions(failing, run_failure_alerts(None)), instance)
    (event,) = instance.all_logs(failed.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    assert PERSONAL in str(event)
    assert PERSONAL not in json.dumps(alert_for_run(instance, failed).as_json())


def test_runs_that_succeed_or_are_tried_again_are_not_told(instance: dg.DagsterInstance, receiver: Receiver) -> None:
    sensor = run_failure_alerts(receiver.url)
    defs = definitions(failing, sensor)
    cursor = tick(defs, instance, None)
    run(definitions(succeeding, sensor), instance)
    run(defs, instance, **{"dagster/will_retry": "true"})
    cursor = tick(defs, instance, cursor)
    assert receiver.received == []
    last = run(defs, instance, **{"dagster/will_retry": "false"})
    tick(defs, instance, cursor)
    assert [told["run_id"] for told in receiver.received] == [last.run_id]


def test_a_run_that_died_outside_of_a_step_is_told(instance: dg.DagsterInstance) -> None:
    run_id = instance.add_run(dg.DagsterRun(job_name="job", status=dg.DagsterRunStatus.STARTED)).run_id
    died = instance.get_run_by_id(run_id)
    assert died is not None
    instance.report_run_failed(died, "the worker went away")
    assert alert_for_run(instance, died).message == f"run {run_id} failed: it ended outside of any step"


def test_a_tick_fails_visibly_where_its_alert_could_not_be_delivered(
    instance: dg.DagsterInstance, receiver: Receiver
) -> None:
    receiver.statuses = [400]
    defs = definitions(failing, run_failure_alerts(receiver.url))
    cursor = tick(defs, instance, None)
    run(defs, instance)
    context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=defs.get_repository_def())
    (sensor,) = defs.sensors or []
    assert isinstance(sensor, dg.SensorDefinition)
    outcome = sensor.evaluate_tick(context)
    (reaction,) = outcome.dagster_run_reactions or []
    assert "status 400" in str(reaction.error)
