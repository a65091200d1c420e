"""PostgreSQL: Dagster's storage for several machines, with batched events; see deploy/dagster.postgres.yaml.

Belongs here: what only PostgreSQL does. It needs the package dagster-postgres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from dagster import EventLogEntry
from dagster._serdes import ConfigurableClassData
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import get_token_provider_from_config, pg_url_from_config

from lakehouse_assets.lake.event_log.batch import BatchedEventLog, batch_by_default, is_batched


class BatchedPostgresEventLogStorage(BatchedEventLog, PostgresEventLogStorage):
    """One transaction a batch, for every type of asset and check event and any number of assets.

    Dagster's own storage batches materializations alone, and notes the newest of the batch's last asset only.
    """

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store all the events or none, so that Dagster's second try, one by one, repeats nothing."""
        if not is_batched(events):
            super().store_event_batch(events)
        elif events:
            with self._one_transaction() as connection:
                self._index(connection, events, self._insert(connection, self._rows(events)))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        batch_by_default()
        return cls(**_arguments(config_value), inst_data=inst_data)


class BatchedPostgresStorage(DagsterPostgresStorage):
    """Runs, events and schedules in one PostgreSQL database."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,  # noqa: FBT001, FBT002 (Dagster's signature)
        inst_data: ConfigurableClassData | None = None,
        token_provider: Any = None,
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data, token_provider)
        self._event_log_storage = BatchedPostgresEventLogStorage(
            postgres_url, should_autocreate_tables, token_provider=token_provider
        )

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        batch_by_default()
        return cls(**_arguments(config_value), inst_data=inst_data)


def _arguments(config_value: Mapping[str, Any]) -> dict[str, Any]:
    # SQLAlchemy 2.1 takes a URL that names no driver to mean psycopg 3; dagster-postgres brings psycopg2.
    url = pg_url_from_config(config_value).replace("postgresql://", "postgresql+psycopg2://", 1)
    return {
        "postgres_url": url,
        "should_autocreate_tables": config_value.get("should_autocreate_tables", True),
        "token_provider": get_token_provider_from_config(config_value),
    }
