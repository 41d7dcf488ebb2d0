"""PgQueuer on our pool: where its tables are, and how long it waits for the database.

What must hold: nothing in the environment moves its tables, and no statement of it waits for ever.
Only the worker imports this module, for what comes with PgQueuer takes its time to load.
"""

import asyncio

from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.settings import DBSettings
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from fieldfare.db.pool import Database

SCHEMA = "pgqueuer"
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


def queue_queries(db: Database) -> Queries:
    """Everything that PgQueuer asks of the database."""
    names = TableNames(db_schema=SCHEMA)
    return Queries(
        BoundedDriver(db.pool),
        qbe=QueryBuilderEnvironment(names),
        qbq=QueryQueueBuilder(names),
        qbs=QuerySchedulerBuilder(names),
    )
