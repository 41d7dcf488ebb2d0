"""Tokens from issue to end, in two processes' worth of caches: a change holds everywhere in time.

Each `Process` has its own pool, change feed and cache, as a process of the product has.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from fieldfare.accounts import service
from fieldfare.accounts.errors import TokenNotFound, TokenNotUsable, WrongAccountKind
from fieldfare.accounts.model import IssuedToken
from fieldfare.db.changes import ChangeFeed, following, raise_revision
from fieldfare.db.pool import Connection, Database, open_database, transaction
from fieldfare.http.auth import PRINCIPAL_TOPIC, TokenCache, hash_token
from fieldfare.http.principal import Principal
from fieldfare.kernel.errors import AccessRefused, Unavailable

LIMIT_S = 1.0
"""Within this time a change holds in every process."""
PATIENCE_S = 10.0


def now() -> datetime:
    """This instant."""
    return datetime.now(UTC)


class Process:
    """What a process has: a pool, a change feed, a cache of tokens, and a count of its queries."""

    def __init__(self, db: Database, **bounds: int) -> None:
        self.db = db
        self.feed = ChangeFeed(db)
        self.cache = TokenCache(self.feed, self.find, **bounds)
        self.looked_up = 0

    async def find(self, sha256: bytes) -> Principal | None:
        """The product's look-up, counted."""
        self.looked_up += 1
        return await service.find_principal(self.db, sha256)

    async def ask(self, token: str) -> Principal | None:
        """Who the token stands for in this process; None if it is refused as unknown."""
        try:
            return await self.cache.get_principal(f"Bearer {token}")
        except AccessRefused as refusal:
            if refusal.code != "token_unknown" or token in refusal.message:
                raise
            return None

    async def learn(self, token: str) -> Principal:
        """Have the token cached under the newest revision, so that only the next change ends it."""
        await self.feed.read()
        await self.ask(token)
        looked_up = self.looked_up
        principal = await self.ask(token)
        assert principal is not None
        assert self.looked_up == looked_up
        return principal

    async def until(self, token: str, done: Callable[[Principal | None], bool]) -> float:
        """Ask until the answer is as wanted; gives the instant of that answer, monotonic."""
        deadline = time.monotonic() + PATIENCE_S
        while not done(await self.ask(token)):
            assert time.monotonic() < deadline, "the change never came through"
            await asyncio.sleep(0.005)
        return time.monotonic()


@asynccontextmanager
async def a_process(database_url: str, **bounds: int) -> AsyncIterator[Process]:
    """A process that follows the change feed."""
    db = await open_database(database_url, pool_size=3, application="tests")
    try:
        process = Process(db, **bounds)
        async with following(process.feed):
            yield process
    finally:
        await db.close()


@pytest.fixture
async def processes(database_url: str) -> AsyncIterator[list[Process]]:
    """Two processes on one database."""
    async with a_process(database_url) as one, a_process(database_url) as other:
        yield [one, other]


async def open_shop(db: Database) -> tuple[int, int]:
    """A user without an identity, and a team of that user."""
    async with transaction(db) as conn:
        user_id = await service.open_user(conn, name="Ada", billing_email="ada@shop.org", now=now())
        team_id = await service.open_team(
            conn, name="Shop", owner_id=user_id, billing_email="pay@shop.org", now=now()
        )
    return user_id, team_id


async def issue(db: Database, account_id: int, kind: Any = "team_live") -> IssuedToken:
    """A token of the account."""
    async with transaction(db) as conn:
        return await service.issue_token(conn, account_id, kind, "Shop", now())


async def all_within_limit(
    processes: list[Process], token: str, done: Callable[[Principal | None], bool], since: float
) -> None:
    """Every process answers as wanted within a second of `since`."""
    answered = await asyncio.gather(*[process.until(token, done) for process in processes])
    assert max(answered) - since < LIMIT_S


def refused(principal: Principal | None) -> bool:
    """The token is not known."""
    return principal is None


def accepted(principal: Principal | None) -> bool:
    """The token is known."""
    return principal is not None


async def test_the_three_kinds_and_whom_they_stand_for(db: Database) -> None:
    user_id, team_id = await open_shop(db)
    process = Process(db)
    live, test = await issue(db, team_id), await issue(db, team_id, "team_test")
    personal = await issue(db, user_id, "personal")
    assert await process.ask(live.token) == Principal(account_id=team_id, kind="team_live")
    assert await process.ask(test.token) == Principal(account_id=team_id, kind="team_test")
    assert await process.ask(personal.token) == Principal(
        account_id=user_id, kind="personal", may_write=False
    )
    assert test.token.startswith("wren_test_")
    for issued in (live, test, personal):
        assert UUID(issued.token.removeprefix("wren_test_")).version == 4


async def test_a_kind_that_does_not_fit_the_account_is_refused(db: Database) -> None:
    user_id, team_id = await open_shop(db)
    for account_id, kind in ((user_id, "team_live"), (user_id, "team_test"), (team_id, "personal")):
        with pytest.raises(WrongAccountKind):
            await issue(db, account_id, kind)


async def test_a_principal_carries_the_accounts_currency_and_card(db: Database) -> None:
    _, team_id = await open_shop(db)
    issued = await issue(db, team_id)
    async with transaction(db) as conn:
        await conn.execute(
            "update accounts.account set currency = 'JPY', stripe_payment_method = 'pm_1' "
            "where id = $1",
            team_id,
        )
    assert await Process(db).ask(issued.token) == Principal(
        account_id=team_id, kind="team_live", currency="JPY", has_card=True
    )


async def test_of_a_token_only_its_hash_and_its_end_are_kept(db: Database) -> None:
    _, team_id = await open_shop(db)
    issued = await issue(db, team_id)
    async with transaction(db) as conn:
        rows = await conn.fetch("select t::text as kept, sha256, hint from accounts.token t")
        listed = await service.list_tokens(conn, team_id)
    (row,) = rows
    assert issued.token not in row["kept"]
    assert issued.token[:-4] not in row["kept"]
    assert (row["sha256"], row["hint"]) == (hash_token(issued.token), issued.token[-4:])
    assert issued.token not in repr(listed)
    assert issued.token not in repr(issued)


async def test_a_token_is_looked_up_once_and_then_known(processes: list[Process]) -> None:
    process = processes[0]
    _, team_id = await open_shop(process.db)
    issued = await issue(process.db, team_id)
    await process.feed.read()
    answers = [await process.ask(issued.token) for _ in range(200)]
    assert set(answers) == {Principal(account_id=team_id, kind="team_live")}
    assert process.looked_up == 1


async def test_a_revocation_holds_in_every_process_within_a_second(
    processes: list[Process],
) -> None:
    _, team_id = await open_shop(processes[0].db)
    other = await issue(processes[0].db, team_id)
    for _ in range(3):
        issued = await issue(processes[0].db, team_id)
        for process in processes:
            await process.learn(issued.token)
        async with transaction(processes[0].db) as conn:
            await service.revoke_token(conn, issued.id, now())
        await all_within_limit(processes, issued.token, refused, time.monotonic())
    for process in processes:
        assert await process.ask(other.token) is not None


async def test_a_revocation_that_is_undone_changes_nothing(processes: list[Process]) -> None:
    _, team_id = await open_shop(processes[0].db)
    issued = await issue(processes[0].db, team_id)

    async def revoke_and_fail() -> None:
        async with transaction(processes[0].db) as conn:
            await service.revoke_token(conn, issued.id, now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await revoke_and_fail()
    for process in processes:
        assert (await process.learn(issued.token)).kind == "team_live"


async def test_the_first_revocation_stands(db: Database) -> None:
    _, team_id = await open_shop(db)
    issued = await issue(db, team_id)
    first = now()
    async with transaction(db) as conn:
        await service.revoke_token(conn, issued.id, first)
        again = await service.revoke_token(conn, issued.id, first + timedelta(hours=1))
        (listed,) = await service.list_tokens(conn, team_id)
    assert again.revoked_at == listed.revoked_at == first


async def test_what_is_not_there_is_neither_revoked_nor_rotated(db: Database) -> None:
    async with transaction(db) as conn:
        with pytest.raises(TokenNotFound):
            await service.revoke_token(conn, uuid4(), now())
        with pytest.raises(TokenNotFound):
            await service.rotate_token(conn, uuid4(), timedelta(hours=1), now())


async def test_an_unknown_token_becomes_known_when_it_is_issued(processes: list[Process]) -> None:
    _, team_id = await open_shop(processes[0].db)
    async with transaction(processes[0].db) as conn:
        issued = await service.issue_token(conn, team_id, "team_live", "", now())
        # Not committed yet, so everybody else keeps it as unknown, with one query.
        for process in processes:
            await process.feed.read()
            process.looked_up = 0
            assert [await process.ask(issued.token) for _ in range(50)] == [None] * 50
            assert process.looked_up == 1
    await all_within_limit(processes, issued.token, accepted, time.monotonic())


async def test_wrong_tokens_fill_a_bounded_cache_and_push_out_no_good_one(
    database_url: str,
) -> None:
    async with a_process(database_url, max_known=5, max_unknown=20) as process:
        _, team_id = await open_shop(process.db)
        good = await issue(process.db, team_id)
        await process.feed.read()
        assert await process.ask(good.token) is not None
        wrong = [str(uuid4()) for _ in range(100)]
        for token in wrong:
            assert await process.ask(token) is None
        assert len(process.cache._unknown) == 20
        assert process.looked_up == 101
        assert await process.ask(good.token) is not None
        assert await process.ask(wrong[-1]) is None
        assert process.looked_up == 101  # both were kept
        assert await process.ask(wrong[0]) is None
        assert process.looked_up == 102  # the oldest was not


async def test_known_tokens_are_bounded_too(database_url: str) -> None:
    async with a_process(database_url, max_known=5, max_unknown=20) as process:
        _, team_id = await open_shop(process.db)
        tokens = [await issue(process.db, team_id) for _ in range(8)]
        await process.feed.read()
        for issued in tokens:
            assert await process.ask(issued.token) is not None
        assert len(process.cache._known) == 5


async def test_without_a_fresh_reading_of_the_feed_nothing_cached_is_used(db: Database) -> None:
    _, team_id = await open_shop(db)
    issued = await issue(db, team_id)
    process = Process(db)  # nobody follows its feed
    await process.feed.read()
    assert await process.ask(issued.token) is not None
    async with transaction(db) as conn:
        await service.revoke_token(conn, issued.id, now())
    assert await process.ask(issued.token) is not None  # for up to a second
    await asyncio.sleep(LIMIT_S + 0.05)
    assert await process.ask(issued.token) is None
    assert process.looked_up == 2
    assert await process.ask(issued.token) is None
    assert process.looked_up == 3  # and an unknown one is not kept either


async def test_what_is_revoked_while_it_is_looked_up_is_not_kept(db: Database) -> None:
    _, team_id = await open_shop(db)
    issued, other = await issue(db, team_id), await issue(db, team_id)

    class Slow(Process):
        """Its first look-up comes back after a revocation that the cache has heard of already."""

        async def find(self, sha256: bytes) -> Principal | None:
            found = await super().find(sha256)
            if self.looked_up == 1:
                async with transaction(self.db) as conn:
                    await service.revoke_token(conn, issued.id, now())
                await self.feed.read()
                assert await self.ask(other.token) is not None
            return found

    process = Slow(db)
    await process.feed.read()
    assert await process.ask(issued.token) is not None
    assert await process.ask(issued.token) is None


async def test_a_rotated_token_works_through_the_overlap_and_ends_by_itself(
    processes: list[Process],
) -> None:
    _, team_id = await open_shop(processes[0].db)
    old = await issue(processes[0].db, team_id)
    overlap = timedelta(seconds=1.5)
    rotated_at, started = now(), time.monotonic()
    async with transaction(processes[0].db) as conn:
        new = await service.rotate_token(conn, old.id, overlap, rotated_at)
    for process in processes:
        await process.feed.read()
        process.looked_up = 0
        assert await process.ask(old.token) is not None
        assert await process.ask(new.token) is not None
    ended = await asyncio.gather(*[process.until(old.token, refused) for process in processes])
    assert min(ended) - started > overlap.total_seconds() - 0.02
    assert max(ended) - started < overlap.total_seconds() + LIMIT_S
    for process in processes:
        # Out of some hundred times, it was looked up when it was first sent and around its end.
        assert process.looked_up < 10
        assert await process.ask(new.token) is not None
    async with transaction(processes[0].db) as conn:
        newest, oldest = await service.list_tokens(conn, team_id)
    assert (newest.id, newest.label, newest.kind) == (new.id, "Shop", "team_live")
    assert (oldest.replaced_by, oldest.expires_at) == (new.id, rotated_at + overlap)


async def test_without_an_overlap_the_old_token_ends_at_once(processes: list[Process]) -> None:
    _, team_id = await open_shop(processes[0].db)
    old = await issue(processes[0].db, team_id, "team_test")
    for process in processes:
        await process.learn(old.token)
    async with transaction(processes[0].db) as conn:
        new = await service.rotate_token(conn, old.id, timedelta(0), now())
    await all_within_limit(processes, old.token, refused, time.monotonic())
    assert new.token.startswith("wren_test_")
    assert await processes[1].ask(new.token) is not None


async def test_a_token_is_rotated_once_even_by_two_at_a_time(processes: list[Process]) -> None:
    _, team_id = await open_shop(processes[0].db)
    old = await issue(processes[0].db, team_id)

    async def rotate(db: Database) -> IssuedToken:
        async with transaction(db) as conn:
            return await service.rotate_token(conn, old.id, timedelta(hours=1), now())

    rivals: list[Awaitable[IssuedToken]] = [
        rotate(process.db) for process in processes for _ in range(3)
    ]
    outcomes = await asyncio.gather(*rivals, return_exceptions=True)
    issued = [outcome for outcome in outcomes if isinstance(outcome, IssuedToken)]
    assert len(issued) == 1
    others = [outcome for outcome in outcomes if not isinstance(outcome, IssuedToken)]
    assert all(isinstance(other, TokenNotUsable) for other in others)
    assert all(str(issued[0].id) in str(other) for other in others)
    async with transaction(processes[0].db) as conn:
        assert len(await service.list_tokens(conn, team_id)) == 2


async def test_a_revoked_token_is_not_rotated(db: Database) -> None:
    _, team_id = await open_shop(db)
    issued = await issue(db, team_id)
    async with transaction(db) as conn:
        await service.revoke_token(conn, issued.id, now())
        with pytest.raises(TokenNotUsable, match="is revoked"):
            await service.rotate_token(conn, issued.id, timedelta(hours=1), now())


async def test_a_rotated_token_can_still_be_revoked(processes: list[Process]) -> None:
    _, team_id = await open_shop(processes[0].db)
    old = await issue(processes[0].db, team_id)
    async with transaction(processes[0].db) as conn:
        new = await service.rotate_token(conn, old.id, timedelta(days=1), now())
    for process in processes:
        await process.learn(old.token)
    async with transaction(processes[0].db) as conn:
        await service.revoke_token(conn, old.id, now())
    await all_within_limit(processes, old.token, refused, time.monotonic())
    for process in processes:
        assert await process.ask(new.token) is not None


async def add_google(conn: Connection, user_id: int) -> None:
    """A Google identity."""
    await service.add_provider_identity(conn, user_id, "google", "g-1", now())


async def add_password(conn: Connection, user_id: int) -> None:
    """A password."""
    await service.add_password(conn, user_id, "ada@shop.org", "four words do well", now())


@pytest.mark.parametrize("add_identity", [add_google, add_password])
async def test_a_personal_token_may_write_as_soon_as_its_user_has_an_identity(
    processes: list[Process], add_identity: Callable[[Connection, int], Awaitable[None]]
) -> None:
    user_id, _ = await open_shop(processes[0].db)
    issued = await issue(processes[0].db, user_id, "personal")
    for process in processes:
        assert not (await process.learn(issued.token)).may_write
    async with transaction(processes[0].db) as conn:
        await add_identity(conn, user_id)
    await all_within_limit(
        processes, issued.token, lambda who: who is not None and who.may_write, time.monotonic()
    )


async def test_a_token_of_an_erased_account_ends(processes: list[Process]) -> None:
    _, team_id = await open_shop(processes[0].db)
    issued = await issue(processes[0].db, team_id)
    for process in processes:
        await process.learn(issued.token)
    async with transaction(processes[0].db) as conn:
        await conn.execute("update accounts.account set erased_at = now() where id = $1", team_id)
        await raise_revision(conn, PRINCIPAL_TOPIC)
    await all_within_limit(processes, issued.token, refused, time.monotonic())


async def test_without_a_database_a_token_is_neither_accepted_nor_called_unknown(
    database_url: str,
) -> None:
    db = await open_database(database_url, pool_size=2, application="tests")
    _, team_id = await open_shop(db)
    issued = await issue(db, team_id)
    process = Process(db)
    await db.close()
    with pytest.raises(Unavailable):
        await process.ask(issued.token)
