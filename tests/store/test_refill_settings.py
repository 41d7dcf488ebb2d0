"""How refills are set, switched off, and counted; what the token's `Principal` says of it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from fieldfare.accounts import service
from fieldfare.accounts.errors import AccountNotFound, AccountRefused, RefillNotSet
from fieldfare.accounts.model import Refill
from fieldfare.db.ids import new_id
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.http.auth import PRINCIPAL_TOPIC, hash_token
from tests.support.world import World

BELOW, AMOUNT = 5_000, 20_000


async def set_refill(db: Database, account_id: int, below_cents: int = BELOW) -> None:
    """Refill an account from now on."""
    async with transaction(db) as conn:
        await service.set_refill(conn, account_id, below_cents=below_cents, amount_cents=AMOUNT)


async def get_refill(db: Database, account_id: int) -> Refill:
    """What is set for an account."""
    async with connection(db) as conn:
        found = await service.find_refill(conn, account_id)
    assert found is not None
    return found


async def bound_of(db: Database, token: str) -> int | None:
    """The bound that the principal of a token carries."""
    principal = await service.find_principal(db, hash_token(token))
    assert principal is not None
    return principal.refill_below_cents


async def revision(db: Database) -> int:
    """How often what tokens stand for has changed."""
    async with connection(db) as conn:
        found: int = await conn.fetchval(
            "select coalesce(max(revision), 0) from db.change where topic = $1", PRINCIPAL_TOPIC
        )
    return found


async def fail(db: Database, account_id: int, failure_id: UUID | None = None) -> None:
    """Count a failure, as the one who holds the lock."""
    async with transaction(db) as conn:
        refill = await service.lock_refill(conn, account_id)
        assert refill is not None
        await service.note_refill_failed(
            conn, refill, failure_id or new_id(), amount_cents=AMOUNT, code="declined"
        )


async def test_a_refill_is_kept_as_set_and_can_be_set_anew(db: Database, world: World) -> None:
    async with connection(db) as conn:
        assert await service.find_refill(conn, world.team_id) is None
    await set_refill(db, world.team_id)
    first = await get_refill(db, world.team_id)
    assert (first.below_cents, first.amount_cents) == (BELOW, AMOUNT)
    assert (first.is_on, first.failures) == (True, 0)
    await set_refill(db, world.team_id, below_cents=1)
    second = await get_refill(db, world.team_id)
    assert (second.below_cents, second.is_on) == (1, True)
    assert second.changed_at > first.changed_at


@pytest.mark.parametrize(("below_cents", "amount_cents"), [(0, AMOUNT), (BELOW, 99)])
async def test_what_no_refill_can_be_is_refused(
    db: Database, world: World, below_cents: int, amount_cents: int
) -> None:
    with pytest.raises(AccountRefused):
        async with transaction(db) as conn:
            await service.set_refill(
                conn, world.team_id, below_cents=below_cents, amount_cents=amount_cents
            )


async def test_an_account_that_is_not_there_has_none(db: Database) -> None:
    async with transaction(db) as conn:
        with pytest.raises(AccountNotFound):
            await service.set_refill(conn, 404, below_cents=BELOW, amount_cents=AMOUNT)
        with pytest.raises(AccountNotFound):
            await service.switch_refill_off(conn, 404)


async def test_what_was_never_set_cannot_be_switched_off(db: Database, world: World) -> None:
    with pytest.raises(RefillNotSet):
        async with transaction(db) as conn:
            await service.switch_refill_off(conn, world.team_id)


async def test_a_principal_carries_the_bound_while_refills_are_on(
    db: Database, world: World
) -> None:
    assert await bound_of(db, world.live_token) is None
    before = await revision(db)
    await set_refill(db, world.team_id)
    assert await bound_of(db, world.live_token) == BELOW
    assert await bound_of(db, world.second_token) is None
    async with transaction(db) as conn:
        await service.switch_refill_off(conn, world.team_id)
    assert await bound_of(db, world.live_token) is None
    assert await revision(db) == before + 2


async def test_the_third_failure_in_a_row_switches_refills_off(db: Database, world: World) -> None:
    await set_refill(db, world.team_id)
    before = await revision(db)
    failures = [new_id() for _ in range(3)]
    for count, failure_id in enumerate(failures, start=1):
        await fail(db, world.team_id, failure_id)
        refill = await get_refill(db, world.team_id)
        assert (refill.failures, refill.is_on) == (count, count < 3)
    assert await bound_of(db, world.live_token) is None
    # Only what changes a principal is told to every process.
    assert await revision(db) == before + 1
    async with connection(db) as conn:
        noted = [await service.find_refill_failure(conn, failure_id) for failure_id in failures]
    assert [(one.number, one.left_on) for one in noted if one is not None] == [
        (1, True), (2, True), (3, False),
    ]  # fmt: skip


async def test_setting_it_anew_forgets_what_failed(db: Database, world: World) -> None:
    await set_refill(db, world.team_id)
    for _ in range(3):
        await fail(db, world.team_id)
    await set_refill(db, world.team_id)
    refill = await get_refill(db, world.team_id)
    assert (refill.failures, refill.is_on) == (0, True)


async def test_a_success_ends_the_row_of_failures_but_for_later_ones(
    db: Database, world: World
) -> None:
    await set_refill(db, world.team_id)
    before = datetime.now(UTC) - timedelta(seconds=1)
    await fail(db, world.team_id)
    await worked(db, world.team_id, before)
    assert (await get_refill(db, world.team_id)).failures == 1
    await worked(db, world.team_id, datetime.now(UTC) + timedelta(seconds=1))
    assert (await get_refill(db, world.team_id)).failures == 0


async def worked(db: Database, account_id: int, at: datetime) -> None:
    """A refill was paid at an instant."""
    async with transaction(db) as conn:
        await service.note_refill_worked(conn, account_id, at)


async def test_refills_that_are_on_come_in_pages(db: Database, world: World) -> None:
    for account_id in (world.team_id, world.second_id, world.personal_id):
        await set_refill(db, account_id)
    async with transaction(db) as conn:
        await service.switch_refill_off(conn, world.second_id)
    pages = [page async for page in service.each_refill(db)]
    assert [one.account_id for page in pages for one in page] == sorted(
        (world.team_id, world.personal_id)
    )


async def test_an_erased_account_is_not_refilled(db: Database, world: World) -> None:
    await set_refill(db, world.team_id)
    async with transaction(db) as conn:
        await conn.execute(
            "update accounts.account set erased_at = now() where id = $1", world.team_id
        )
        assert await service.find_refill(conn, world.team_id) is None
        assert await service.lock_refill(conn, world.team_id) is None
        assert await service.find_billing_address(conn, world.team_id) is None
    assert [page async for page in service.each_refill(db)] == []


async def test_mail_goes_to_the_team_or_else_to_its_owner(db: Database, world: World) -> None:
    async with transaction(db) as conn:
        await write_billing(conn, world.team_id, "pay@tests.example")
        assert await service.find_billing_address(conn, world.team_id) == "pay@tests.example"
        await write_billing(conn, world.team_id, None)
        assert await service.find_billing_address(conn, world.team_id) == "ada@tests.example"
        await write_billing(conn, world.personal_id, None)
        assert await service.find_billing_address(conn, world.team_id) is None


async def write_billing(conn: Connection, account_id: int, address: str | None) -> None:
    """Where mail about an account's money goes."""
    await conn.execute(
        "update accounts.account set billing_email = $2 where id = $1", account_id, address
    )
