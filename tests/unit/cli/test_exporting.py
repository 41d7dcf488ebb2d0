"""When the process that answers `/metrics` ends."""

import asyncio
import os

import pytest
import uvicorn

from fieldfare.cli.exporting import Exporter, end_with
from fieldfare.settings import Settings

PATIENCE_S = 20.0


@pytest.fixture
def server() -> uvicorn.Server:
    """The server of such a process, not serving."""
    return uvicorn.Server(uvicorn.Config(Exporter(Settings()), log_config=None))


async def test_who_is_asked_to_stop_is_not_told_otherwise_by_a_parent_that_lives(
    server: uvicorn.Server,
) -> None:
    looking = asyncio.create_task(end_with(os.getppid(), server))
    await asyncio.sleep(0)
    server.should_exit = True
    await asyncio.wait_for(looking, PATIENCE_S)
    assert server.should_exit


async def test_it_ends_with_its_parent(server: uvicorn.Server) -> None:
    await asyncio.wait_for(end_with(os.getpid(), server), PATIENCE_S)
    assert server.should_exit
