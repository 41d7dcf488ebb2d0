"""PgQueuer on our pool: where its tables are, how it waits for the database, and what wakes it.

What must hold: nothing in the environment moves its tables, and no statement of it waits for ever.
Only the worker imports this module, for what comes with PgQueuer takes its time to load.
"""

import asyncio
from datetime import UTC, datetime

from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import TableChangedEvent
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel
from pgqueuer.ports.driver import NotifyCallback
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from fieldfare.db.pool import Database

SCHEMA = "pgqueuer"
CHANNEL = Channel("ch_pgqueuer")
STATEMENT_LIMIT_S = 20.0


class TableNames(DBSettings):
    """PgQueuer's own names in its own schema, whatever the environment says.

    By default it would take them from variables as common as `CHANNEL` and `FUNCTION`.
    """

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given in code."""
        return (init_settings,)


class BoundedDriver(AsyncpgPoolDriver):
    """A pool survives a restart of the server; the limit, a server that just goes silent."""

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """All rows; raises `TimeoutError` after `STATEMENT_LIMIT_S`."""
        async with asyncio.timeout(STATEMENT_LIMIT_S):
            return await super().fetch(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """The command's tag; raises `TimeoutError` after `STATEMENT_LIMIT_S`."""
        async with asyncio.timeout(STATEMENT_LIMIT_S):
            return await super().execute(query, *args)


class PollingDriver(BoundedDriver):
    """Wakes the queue of this process itself, and otherwise leaves it to look again and again.

    LISTEN is silently lost behind a pooler and after a failover, and holds a connection.
    """

    _callback: NotifyCallback | None = None

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Note whom to wake; nothing is listened to."""
        assert channel == CHANNEL
        self._callback = callback

    async def notify(self, channel: str, payload: str) -> None:
        """Tell this process; PgQueuer's check of its listener goes round here."""
        assert channel == CHANNEL
        if self._callback is not None:
            self._callback(payload)

    async def wake(self) -> None:
        """Have the queue of this process look for jobs now."""
        event = TableChangedEvent(
            channel=CHANNEL,
            sent_at=datetime.now(UTC),
            type="table_changed_event",
            operation="insert",
            table="pgqueuer",
        )
        await self.notify(CHANNEL, event.model_dump_json())


def queue_queries(db: Database) -> Queries:
    """What PgQueuer's schedules ask of the database."""
    names = TableNames(db_schema=SCHEMA)
    return Queries(
        BoundedDriver(db.pool),
        qbe=QueryBuilderEnvironment(names),
        qbq=QueryQueueBuilder(names),
        qbs=QuerySchedulerBuilder(names),
    )
