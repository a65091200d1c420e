"""Alerts: what is worth waking somebody for, where it goes, and the sensor of failed runs.

Belongs here: making and delivering alerts. Not here: deciding that a check has failed (`judge`, `report`), and
telling of tenants that fall behind (`freshness`).

An alert leaves the house, so it names tables, tenants, dates, checks, counts and classes of errors, and never a value
from a row: messages of exceptions, which may quote rows, stay in Dagster's run page, to which `run_id` leads.
"""

from __future__ import annotations

import http.client
import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal, Protocol, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import dagster as dg
from dagster import DagsterEventType

from lakehouse_assets.lake.errors import LakeError
from lakehouse_assets.lake.names import TableName
from lakehouse_assets.lake.partitions import Partition, runs_of_dates

T = TypeVar("T")

log = logging.getLogger(__name__)

WILL_RETRY = "dagster/will_retry"
SHOWN = 10
TOO_MANY_REQUESTS = 429


class AlertError(LakeError):
    """An alert could not be delivered, or a place to send it to is no address."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One thing that went wrong. `table`, `tenant_id` and `date` are set where it concerns exactly one."""

    kind: Literal["run_failure", "check_failure", "stale_tenant"]
    severity: Literal["error", "warning"]
    message: str
    table: str | None = None
    tenant_id: str | None = None
    date: date | None = None
    run_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields, and `text`, which chat services show as it is."""
        return asdict(self) | {
            "date": self.date.isoformat() if self.date else None,
            "text": f"[{self.severity}] {self.message}",
        }


class Sink(Protocol):
    """A place that alerts go to."""

    def send(self, alert: Alert) -> None:
        """Deliver the alert, or raise AlertError."""


class LogSink:
    """Writes alerts to Python's log, as one line of JSON each."""

    def send(self, alert: Alert) -> None:
        level = logging.ERROR if alert.severity == "error" else logging.WARNING
        log.log(level, "%s", json.dumps(alert.as_json(), ensure_ascii=False))


class _StayOnCourse(HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its body, and look delivered."""

    def redirect_request(self, *_: Any) -> None:
        return None


class WebhookSink:
    """Posts alerts as JSON, up to `attempts` times: again after a timeout, a broken connection, 429 or 5xx.

    `timeout` and `pause` are in seconds; the pause doubles with each attempt. The address is a secret, as
    chat services put a token into its path: messages show its host only.
    """

    def __init__(self, url: str, *, timeout: float = 10.0, attempts: int = 3, pause: float = 1.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise AlertError("the alert webhook is no http(s) address: set LAKEHOUSE_ALERT_WEBHOOK to one, or unset it")
        self._url, self._host = url, parts.hostname
        self._timeout, self._attempts, self._pause = timeout, attempts, pause
        self._opener = build_opener(_StayOnCourse)

    def send(self, alert: Alert) -> None:
        body = json.dumps(alert.as_json()).encode()
        for attempt in range(1, self._attempts + 1):
            fault, is_passing = self._post(body)
            if not fault:
                return
            if not is_passing or attempt == self._attempts:
                raise AlertError(f"webhook on {self._host}: {fault} at attempt {attempt} of {self._attempts}")
            time.sleep(self._pause * 2 ** (attempt - 1))

    def _post(self, body: bytes) -> tuple[str, bool]:
        """Return what went wrong, empty where nothing did, and whether another attempt may help."""
        request = Request(self._url, data=body, headers={"Content-Type": "application/json"}, method="POST")  # noqa: S310
        try:
            with self._opener.open(request, timeout=self._timeout):
                return "", False
        except HTTPError as error:
            error.close()
            return (
                f"status {error.code}",
                error.code == TOO_MANY_REQUESTS or error.code >= http.client.INTERNAL_SERVER_ERROR,
            )
        except (URLError, http.client.HTTPException, OSError) as error:
            return type(getattr(error, "reason", None) or error).__name__, True


def sinks(webhook: str | None) -> list[Sink]:
    """The log always, and the webhook where the settings name one."""
    return [LogSink(), WebhookSink(webhook)] if webhook else [LogSink()]


def deliver(alerts: Iterable[Alert], to: Sequence[Sink]) -> list[str]:
    """Send every alert to every sink; return what failed, which is in the log, and raise nothing.

    So that an alert that cannot be delivered never breaks the step that it is about.
    """
    failures: list[str] = []
    for alert in alerts:
        for sink in to:
            try:
                sink.send(alert)
            except AlertError as error:
                log.exception("an alert was not delivered")
                failures.append(str(error))
    return failures


def alerts_for_checks(
    results: Iterable[dg.AssetCheckResult], *, table: TableName, run_id: str, partitions: Iterable[Partition] = ()
) -> list[Alert]:
    """One alert for each check that failed as an ERROR; `partitions` are those that it failed for, where known.

    Of a result's metadata only the numbers are told: texts may quote rows.
    """
    concerned = sorted(set(partitions))
    where = f" for {_described(concerned)}" if concerned else ""
    return [
        Alert(
            kind="check_failure",
            severity="error",
            message=f"{table}: check {result.check_name} failed{where}{_figures(result.metadata)}",
            table=str(table),
            tenant_id=_only({partition.tenant_id for partition in concerned}),
            date=_only({partition.date for partition in concerned}),
            run_id=run_id,
        )
        for result in results
        if not result.passed and result.severity == dg.AssetCheckSeverity.ERROR
    ]


def alert_for_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Alert:
    """Tell which partitions of which tables a failed run was to build and did not, as its events say."""
    storage = instance.event_log_storage
    planned = storage.get_asset_partitions_for_run(run.run_id, DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    built = storage.get_asset_partitions_for_run(run.run_id, DagsterEventType.ASSET_MATERIALIZATION)
    missing = {key: found for key in sorted(planned) if (found := planned[key] - built.get(key, set()))}
    records = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.STEP_FAILURE).records
    steps = {str(record.event_log_entry.step_key) for record in records}
    failed = {key: found for key, found in missing.items() if key.to_python_identifier() in steps}
    waiting = [_table(key) for key in missing if key not in failed]

    parts = [f"{_table(key)} was not built for {_described(_partitions(found))}" for key, found in failed.items()]
    if not failed:
        parts.append(f"step {', '.join(sorted(steps))} failed" if steps else "it ended outside of any step")
    if waiting:
        more = f" and {len(waiting) - SHOWN} more" if len(waiting) > SHOWN else ""
        parts.append(f"not reached: {', '.join(waiting[:SHOWN])}{more}")
    concerned = [partition for found in failed.values() for partition in _partitions(found)]
    named = {partition for partition in concerned if isinstance(partition, Partition)}
    is_known = len(named) == len(set(concerned))
    return Alert(
        kind="run_failure",
        severity="error",
        message=f"run {run.run_id} failed: {'; '.join(parts)}",
        table=_only({_table(key) for key in failed}),
        tenant_id=_only({partition.tenant_id for partition in named}) if is_known else None,
        date=_only({partition.date for partition in named}) if is_known else None,
        run_id=run.run_id,
    )


def run_failure_alerts(webhook: str | None, *, name: str = "run_failure_alerts") -> dg.SensorDefinition:
    """The sensor that sends one alert for each run that has failed for good, not for one that is tried again."""
    to = sinks(webhook)

    @dg.run_failure_sensor(
        name=name,
        description="Sends one alert for each failed run that is not tried again, naming tables and partitions.",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alert_once(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        # Read anew, because the tag is written just after the event that woke the sensor.
        run = context.instance.get_run_by_id(context.dagster_run.run_id) or context.dagster_run
        if run.tags.get(WILL_RETRY) == "true":
            return dg.SkipReason(f"run {run.run_id} is tried again")
        if failures := deliver([alert_for_run(context.instance, run)], to):
            raise AlertError("; ".join(failures))
        return None

    return alert_once


def _table(key: dg.AssetKey) -> str:
    return ".".join(key.path)


def _only(found: set[T]) -> T | None:
    return next(iter(found)) if len(found) == 1 else None


def _partitions(keys: Iterable[str | None]) -> list[Partition | str]:
    """Read the keys that have our form, `2026-01-31|acme`, and leave others as they are."""
    found: list[Partition | str] = []
    for key in sorted(key or "its only partition" for key in keys):
        day, _, tenant = key.partition("|")
        try:
            found.append(Partition(tenant, date.fromisoformat(day)))
        except ValueError:
            found.append(key)
    return found


def _described(partitions: Iterable[Partition | str]) -> str:
    """Name the partitions as stretches of dates by tenant, `acme 2026-01-01 … 2026-01-03`, at most `SHOWN` of them."""
    dates: dict[str, list[date]] = {}
    stretches: list[str] = []
    for partition in partitions:
        if isinstance(partition, Partition):
            dates.setdefault(partition.tenant_id, []).append(partition.date)
        else:
            stretches.append(partition)
    for tenant, of_tenant in sorted(dates.items()):
        for first, last in runs_of_dates(of_tenant):
            stretches.append(f"{tenant} {first}" if first == last else f"{tenant} {first} … {last}")
    more = f" and {len(stretches) - SHOWN} more" if len(stretches) > SHOWN else ""
    return f"{', '.join(stretches[:SHOWN])}{more}"


def _figures(metadata: Mapping[str, Any]) -> str:
    numbers = {
        name: value.value
        for name, value in metadata.items()
        if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue)
    }
    return f" ({', '.join(f'{name} {value}' for name, value in numbers.items())})" if numbers else ""
