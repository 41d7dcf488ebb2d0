"""Accounts, identities and passwords as the database keeps them."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import argon2
import asyncpg
import pytest

from fieldfare.accounts import service, store
from fieldfare.accounts.errors import (
    AccountNotFound,
    AccountRefused,
    AlreadyMember,
    IdentityTaken,
    PasswordNotFound,
    PasswordTooWeak,
    SignInRefused,
    WrongAccountKind,
)
from fieldfare.db.pool import Connection, Database, connection, transaction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EMAIL = "Ada@Example.org"
PASSWORD = "four words do well"


async def open_ada(conn: Connection) -> int:
    """A user who cannot sign in yet."""
    return await service.open_user(conn, name="Ada Byron", billing_email=EMAIL, now=NOW)


async def open_shop(conn: Connection, owner_id: int) -> int:
    """A team of that user."""
    return await service.open_team(
        conn, name="Web shop", owner_id=owner_id, billing_email="pay@shop.org", now=NOW
    )


async def sign_up(db: Database) -> int:
    """A user who signs in with `EMAIL` and `PASSWORD`."""
    async with transaction(db) as conn:
        user_id = await open_ada(conn)
        await service.add_password(conn, user_id, EMAIL, PASSWORD, NOW)
    return user_id


async def test_a_user_is_kept_as_given(db: Database) -> None:
    async with transaction(db) as conn:
        user_id = await service.open_user(
            conn, name=" Ada ", billing_email=EMAIL, currency="jpy", language="de", now=NOW
        )
        account = await service.get_account(conn, user_id)
    assert user_id >= 1001
    assert (account.kind, account.name, account.billing_email) == ("user", "Ada", EMAIL)
    assert (account.currency, account.language, account.created_at) == ("JPY", "de", NOW)


async def test_what_cannot_be_kept_is_refused_before_the_database_sees_it(db: Database) -> None:
    good = {"name": "Ada", "billing_email": EMAIL, "currency": "USD", "language": "en"}
    bad = {"name": "A\x00", "billing_email": "ada", "currency": "ABC", "language": "xx"}
    for field, value in bad.items():
        async with transaction(db) as conn:
            with pytest.raises(AccountRefused):
                await service.open_user(conn, **{**good, field: value}, now=NOW)
            assert await conn.fetchval("select count(*) from accounts.account") == 0


async def test_a_team_starts_with_its_owner_and_takes_members_once(db: Database) -> None:
    async with transaction(db) as conn:
        ada = await open_ada(conn)
        team = await open_shop(conn, ada)
        bob = await service.open_user(conn, name="Bob", billing_email="b@shop.org", now=NOW)
        await service.add_member(conn, team, bob, "developer", NOW)
        with pytest.raises(AlreadyMember):
            await service.add_member(conn, team, bob, "admin", NOW)
        members = await service.list_members(conn, team)
    found = [(member.user_id, member.name, member.role) for member in members]
    assert found == [(ada, "Ada Byron", "owner"), (bob, "Bob", "developer")]


async def test_a_team_is_no_member_owner_or_operator_and_has_no_identity(db: Database) -> None:
    async with transaction(db) as conn:
        ada = await open_ada(conn)
        team = await open_shop(conn, ada)
        for refused in (
            open_shop(conn, team),
            service.add_member(conn, team, team, "viewer", NOW),
            service.add_member(conn, ada, ada, "viewer", NOW),
            service.add_password(conn, team, EMAIL, PASSWORD, NOW),
            service.add_provider_identity(conn, team, "google", "1", NOW),
            service.make_operator(conn, team, "admin", NOW),
        ):
            with pytest.raises(WrongAccountKind):
                await refused


async def test_nobody_is_let_in_who_is_not_there_or_was_erased(db: Database) -> None:
    async with transaction(db) as conn:
        ada = await open_ada(conn)
        team = await open_shop(conn, ada)
        gone = await open_ada(conn)
        await conn.execute("update accounts.account set erased_at = $2 where id = $1", gone, NOW)
        for nobody in (999, gone):
            for refused in (
                service.get_account(conn, nobody),
                open_shop(conn, nobody),
                service.add_member(conn, team, nobody, "viewer", NOW),
                service.add_provider_identity(conn, nobody, "google", "1", NOW),
                service.issue_token(conn, nobody, "personal", "", NOW),
            ):
                with pytest.raises(AccountNotFound, match=str(nobody)):
                    await refused


async def test_roles_and_kinds_are_words_that_exist(db: Database) -> None:
    boss: Any = "boss"
    password: Any = "password"
    async with transaction(db) as conn:
        ada = await open_ada(conn)
        team = await open_shop(conn, ada)
        for refused in (
            service.add_member(conn, team, ada, boss, NOW),
            service.make_operator(conn, ada, boss, NOW),
            service.add_provider_identity(conn, ada, password, "x", NOW),
        ):
            with pytest.raises(AccountRefused, match="must be one of"):
                await refused


async def test_an_operator_can_be_given_another_role(db: Database) -> None:
    async with transaction(db) as conn:
        ada = await open_ada(conn)
        assert await service.find_operator_role(conn, ada) is None
        await service.make_operator(conn, ada, "support", NOW)
        await service.make_operator(conn, ada, "bookkeeper", NOW)
        assert await service.find_operator_role(conn, ada) == "bookkeeper"


async def test_accounts_are_found_by_a_part_of_their_name_or_addresses(db: Database) -> None:
    ada = await sign_up(db)
    async with transaction(db) as conn:
        team = await open_shop(conn, ada)
        bob = await service.open_user(conn, name="Bob_%", billing_email="b@b.de", now=NOW)
        await service.add_password(conn, bob, "robert@home.net", PASSWORD, NOW)
        for wanted, expected in {
            "BYRON": [ada],
            "@EXAMPLE": [ada],
            "shop": [team],
            "robert@": [bob],
            "_%": [bob],  # no wildcard
            "e": [ada, team, bob],
            "nobody": [],
        }.items():
            found = await service.find_accounts(conn, wanted)
            assert [account.id for account in found] == expected


async def test_an_identity_belongs_to_one_person(db: Database) -> None:
    async with transaction(db) as conn:
        ada, bob = await open_ada(conn), await open_ada(conn)
        await service.add_password(conn, ada, EMAIL, PASSWORD, NOW)
        await service.add_provider_identity(conn, ada, "google", "Abc", NOW)
        with pytest.raises(IdentityTaken) as refused:
            await service.add_password(conn, bob, EMAIL.upper(), PASSWORD, NOW)
        assert refused.value.param == "email"
        with pytest.raises(IdentityTaken):
            await service.add_provider_identity(conn, bob, "google", "Abc", NOW)
        await service.add_provider_identity(conn, bob, "google", "abc", NOW)
        await service.add_provider_identity(conn, bob, "shopify", "Abc", NOW)


async def test_a_password_is_kept_as_an_argon2id_hash_only(db: Database) -> None:
    await sign_up(db)
    async with connection(db) as conn:
        kept = await conn.fetchval("select i::text from accounts.identity i")
        secret = await conn.fetchval("select secret from accounts.identity")
    assert PASSWORD not in kept
    assert secret.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_a_weak_password_is_not_kept(db: Database) -> None:
    async with transaction(db) as conn:
        ada = await open_ada(conn)
        with pytest.raises(PasswordTooWeak):
            await service.add_password(conn, ada, EMAIL, "short", NOW)
        assert await conn.fetchval("select count(*) from accounts.identity") == 0


async def test_signing_in_takes_the_address_in_any_case_and_the_password_as_it_is(
    db: Database,
) -> None:
    ada = await sign_up(db)
    assert await service.verify_password(db, f" {EMAIL.upper()} ", PASSWORD) == ada
    for email, password in (
        (EMAIL, PASSWORD.upper()),
        (EMAIL, f"{PASSWORD} "),
        (EMAIL, ""),
        (EMAIL, "\ud800"),
        ("bob@example.org", PASSWORD),
        ("no address", PASSWORD),
        (f"{EMAIL}\x00", PASSWORD),
    ):
        with pytest.raises(SignInRefused) as refused:
            await service.verify_password(db, email, password)
        assert (refused.value.status, refused.value.code) == (403, "sign_in_refused")
        assert refused.value.param is None


async def test_a_composed_letter_is_the_same_in_a_password(db: Database) -> None:
    async with transaction(db) as conn:
        ada = await open_ada(conn)
        await service.add_password(conn, ada, EMAIL, "a\u030angstro\u0308m is a unit", NOW)
    assert await service.verify_password(db, EMAIL, "ångström is a unit") == ada


async def test_a_changed_password_is_the_only_one_that_is_of_use(db: Database) -> None:
    ada = await sign_up(db)
    async with transaction(db) as conn:
        assert await service.change_password(conn, EMAIL.upper(), "quite another four words") == ada
        with pytest.raises(PasswordTooWeak):
            await service.change_password(conn, EMAIL, "short")
        with pytest.raises(PasswordNotFound):
            await service.change_password(conn, "bob@example.org", PASSWORD)
    with pytest.raises(SignInRefused):
        await service.verify_password(db, EMAIL, PASSWORD)
    assert await service.verify_password(db, EMAIL, "quite another four words") == ada


async def test_who_was_erased_cannot_sign_in(db: Database) -> None:
    await sign_up(db)
    async with connection(db) as conn:
        await conn.execute("update accounts.account set erased_at = $1", NOW)
    with pytest.raises(SignInRefused):
        await service.verify_password(db, EMAIL, PASSWORD)


async def test_an_unknown_address_is_refused_at_the_same_cost(db: Database) -> None:
    await sign_up(db)

    async def cost_s(email: str) -> float:
        # Processor time, of all threads: what the machine's other work does not change.
        started = time.process_time()
        with pytest.raises(SignInRefused):
            await service.verify_password(db, email, "not the password")
        return time.process_time() - started

    known = min([await cost_s(EMAIL) for _ in range(3)])
    for nobody in ("bob@example.org", "no address"):
        unknown = min([await cost_s(nobody) for _ in range(3)])
        assert 0.6 < unknown / known < 1.6


async def test_a_hash_with_older_parameters_is_made_anew_when_its_owner_signs_in(
    db: Database,
) -> None:
    ada = await sign_up(db)
    old = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)

    async def kept() -> str:
        async with connection(db) as conn:
            identity = await store.find_password(conn, EMAIL.lower())
        assert identity is not None
        return identity.secret

    async with connection(db) as conn:
        await conn.execute("update accounts.identity set secret = $1", old)
    with pytest.raises(SignInRefused):
        await service.verify_password(db, EMAIL, "not the password")
    assert await kept() == old
    assert await service.verify_password(db, EMAIL, PASSWORD) == ada
    new = await kept()
    assert new.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await service.verify_password(db, EMAIL, PASSWORD) == ada
    assert await kept() == new


async def test_a_hash_made_anew_does_not_undo_a_change_of_the_password(db: Database) -> None:
    await sign_up(db)
    async with connection(db) as conn:
        before = await store.find_password(conn, EMAIL.lower())
        assert before is not None
        await conn.execute("update accounts.identity set secret = 'changed meanwhile'")
        await store.update_secret(conn, before, "the old one again")
        assert await conn.fetchval("select secret from accounts.identity") == "changed meanwhile"


async def test_a_secret_that_is_no_hash_lets_nobody_in(db: Database) -> None:
    await sign_up(db)
    async with connection(db) as conn:
        await conn.execute("update accounts.identity set secret = 'plain'")
    for password in (PASSWORD, "plain"):
        with pytest.raises(SignInRefused):
            await service.verify_password(db, EMAIL, password)


async def test_a_token_is_found_by_its_index(db: Database) -> None:
    queries = Path(store.__file__).with_name("queries.sql").read_text(encoding="utf-8")
    query = queries.partition("-- name: find_principal")[2].partition("-- name:")[0]
    statement = query.partition("\n")[2]
    async with transaction(db) as conn:
        ada = await open_ada(conn)
        # As many rows as make a planner think, from one statement.
        await conn.execute(
            """
            insert into accounts.token (id, account_id, kind, sha256, hint, label, created_at)
            select gen_random_uuid(), $1, 'personal', sha256(i::text::bytea), '1234', '', now()
            from generate_series(1, 5000) as i
            """,
            ada,
        )
        await conn.execute("analyze accounts.token")
        plan = await conn.fetch(f"explain {statement.replace(':sha256', '$1')}", bytes(32))
    lines = "\n".join(row[0] for row in plan)
    assert "Index Scan using token_sha256_key" in lines
    assert "Seq Scan on token" not in lines


async def test_the_schema_itself_refuses_a_secret_for_a_provider(db: Database) -> None:
    async with transaction(db) as conn:
        ada = await open_ada(conn)
        with pytest.raises(asyncpg.CheckViolationError):
            await store.insert_identity(
                conn, user_id=ada, kind="google", subject="1", secret="x", created_at=NOW
            )
