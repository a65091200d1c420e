"""Runs on Celery workers, watched: a run whose worker has died is found and failed, so that it is tried again.

Belongs here: whether a run's worker is still at it. Not here: workers, queues and brokers (`deploy/celery`).

Dagster's own launcher asks the result backend, where a task whose worker was killed stays STARTED for ever. This one
asks the workers themselves, which answer while they work.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

if TYPE_CHECKING:
    from dagster._config import UserConfigSchema

ANSWER_SECONDS = 3.0
SILENCE_SECONDS = 60


class WatchedCeleryRunLauncher(CeleryRunLauncher):
    """Dagster's launcher for Celery, whose runs fail when no worker has been at them for `silence_seconds`.

    A worker that was only slow to answer goes on with a run that was given up; that does no harm, as the retry writes
    the same partitions.
    """

    def __init__(self, silence_seconds: int = SILENCE_SECONDS, **celery: Any) -> None:
        super().__init__(**celery)
        self.silence_seconds = silence_seconds
        self._silent_since: dict[str, float] = {}

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        told = "A run fails when no worker has said for so long that it is at it."
        own = dg.Field(dg.IntSource, is_required=False, default_value=SILENCE_SECONDS, description=told)
        schema: Any = super().config_type()
        return {**schema, "silence_seconds": own}

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        task = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task is None:  # of the command line, which runs it itself; `max_runtime_seconds` ends what was killed
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        result = self.celery.AsyncResult(task)
        if result.state == "FAILURE":
            return CheckRunHealthResult(WorkerStatus.FAILED, f"the worker's process ended: {result.result}")
        if self._is_at_work(result):
            self._silent_since.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        silent = time.monotonic() - self._silent_since.setdefault(run.run_id, time.monotonic())
        if silent < self.silence_seconds:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        del self._silent_since[run.run_id]
        worker = _worker(result) or "any worker"
        return CheckRunHealthResult(WorkerStatus.FAILED, f"no word of the run from {worker} for {silent:.0f} seconds")

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        return run is not None and DAGSTER_CELERY_TASK_ID_TAG in run.tags and super().terminate(run_id)

    def _is_at_work(self, result: Any) -> bool:
        """Whether a worker has the task; one that was started anew under the old name has not."""
        worker = _worker(result)
        asked = self.celery.control.inspect(destination=[worker] if worker else None, timeout=ANSWER_SECONDS)
        answers = asked.query_task([result.id]) or {}
        return any(result.id in tasks for tasks in answers.values())


def _worker(result: Any) -> str | None:
    """The name of the worker that started the task, as the result backend keeps it until the task ends."""
    info = result.info
    return str(info["hostname"]) if isinstance(info, dict) and "hostname" in info else None
