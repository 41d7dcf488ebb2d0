"""What is to be done after a commit is done after it, and not at all without one."""

import pytest

from fieldfare.db.pool import Database, after_commit, connection, transaction


async def test_it_runs_once_the_transaction_has_committed(db: Database) -> None:
    done: list[int] = []
    async with transaction(db) as conn:
        after_commit(lambda: done.append(1))
        await conn.execute("select 1")
        assert done == []
    assert done == [1]


async def test_it_never_runs_for_what_was_undone(db: Database) -> None:
    done: list[int] = []

    async def fail() -> None:
        async with transaction(db):
            after_commit(lambda: done.append(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with transaction(db):
        pass
    assert done == []


async def test_a_statement_that_commits_by_itself_needs_not_wait(db: Database) -> None:
    done: list[int] = []
    async with connection(db):
        after_commit(lambda: done.append(1))
        assert done == [1]
