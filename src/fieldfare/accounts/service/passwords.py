"""Passwords: kept as Argon2id hashes, checked without telling which addresses are known.

What must hold: one hash is computed for every sign-in, whether the address is known or not, and
never more than two at a time, each of which takes 64 MiB. None is computed on the event loop.
"""

import asyncio
import base64
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fieldfare.accounts import rules, store
from fieldfare.accounts.errors import AccountRefused, PasswordNotFound, SignInRefused
from fieldfare.accounts.model import PasswordIdentity
from fieldfare.accounts.service.people import get_account, keep_identity
from fieldfare.db.pool import Connection, Database, connection

T = TypeVar("T")

# The second recommendation of RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes.
_hasher = PasswordHasher()
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


async def add_password(
    conn: Connection, user_id: int, email: str, password: str, now: datetime
) -> None:
    """Let a user sign in with an address, in any case, and a password.

    Raises `PasswordTooWeak`, `IdentityTaken`, `AccountRefused`, `AccountNotFound` or
    `WrongAccountKind`.
    """
    subject = rules.sign_in_email(email)
    rules.check_password(password, subject)
    await get_account(conn, user_id, kind="user")
    secret = await _in_thread(lambda: _hasher.hash(rules.password_bytes(password)))
    await keep_identity(conn, user_id, "password", subject, secret, now)


async def change_password(conn: Connection, email: str, password: str) -> int:
    """Give whoever signs in with an address another password; gives their number.

    Raises `PasswordTooWeak`, `PasswordNotFound` or `AccountRefused`.
    """
    subject = rules.sign_in_email(email)
    rules.check_password(password, subject)
    identity = await store.find_password(conn, subject)
    if identity is None:
        raise PasswordNotFound(
            f"Nobody signs in with {subject} and a password. `fieldfare account add-password` adds "
            "one."
        )
    secret = await _in_thread(lambda: _hasher.hash(rules.password_bytes(password)))
    await store.update_secret(conn, identity, secret)
    return identity.user_id


async def verify_password(db: Database, email: str, password: str) -> int:
    """The number of the user who signs in so; raises `SignInRefused`, after the same time for an
    address that nobody has. A hash made with older parameters is made anew.
    """
    identity = await _find_identity(db, email)
    secret = _nobodys_secret() if identity is None else identity.secret
    matches = await _in_thread(lambda: _matches(secret, password))
    if identity is None or not matches:
        raise SignInRefused(
            "This e-mail address and password do not go together. Check both and try again."
        )
    if _hasher.check_needs_rehash(identity.secret):
        await _rehash(db, identity, password)
    return identity.user_id


async def _find_identity(db: Database, email: str) -> PasswordIdentity | None:
    try:
        subject = rules.sign_in_email(email)
    except AccountRefused:
        return None
    async with connection(db) as conn:
        return await store.find_password(conn, subject)


async def _rehash(db: Database, identity: PasswordIdentity, password: str) -> None:
    new_secret = await _in_thread(lambda: _hasher.hash(rules.password_bytes(password)))
    async with connection(db) as conn:
        await store.update_secret(conn, identity, new_secret)


def _matches(secret: str, password: str) -> bool:
    try:
        return _hasher.verify(secret, rules.password_bytes(password))
    except (VerificationError, InvalidHashError):
        return False


def _nobodys_secret() -> str:
    """A hash of nothing known, with today's parameters: as dear to check as a real one."""
    salt, digest = (
        base64.b64encode(os.urandom(length)).decode().rstrip("=")
        for length in (_hasher.salt_len, _hasher.hash_len)
    )
    return (
        f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
        f"${salt}${digest}"
    )


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, work)
