"""What may be kept as a name, an e-mail, a password or a token, and what state a token is in.

Pure. What must hold: whatever passes here is accepted by the schema's checks, and two spellings of
one e-mail address (case, Unicode form) come out as one.
"""

import re
import unicodedata
from datetime import datetime, timedelta
from typing import NoReturn, get_args
from uuid import UUID

from fieldfare.accounts.errors import (
    AccountRefused,
    PasswordTooWeak,
    TokenNotUsable,
    WrongAccountKind,
)
from fieldfare.accounts.model import Account, AccountKind, Token, TokenState
from fieldfare.http.principal import TokenKind
from fieldfare.kernel.currency import UnknownCurrency, get_currency
from fieldfare.kernel.text import TextRefused, clean_text

NAME_CHARACTERS = 200
EMAIL_CHARACTERS = 320
SUBJECT_CHARACTERS = 320
LABEL_CHARACTERS = 100
PASSWORD_MIN_CHARACTERS = 12
PASSWORD_MAX_CHARACTERS = 256
PASSWORD_DIFFERENT_CHARACTERS = 5
HINT_CHARACTERS = 4
MAX_OVERLAP = timedelta(days=90)
REFILL_MIN_CENTS = 100
REFILL_MAX_CENTS = 99_999_999
"""The bounds of a top-up, which is what a refill is."""
REFILL_TRIES = 3
"""So many failures in a row switch refills off."""
LANGUAGES = ("en", "de", "fr", "es")

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_OWNER_KIND: dict[TokenKind, AccountKind] = {
    "team_live": "team",
    "team_test": "team",
    "personal": "user",
}


def clean_name(name: str) -> str:
    """A name in one line, 1 to 200 characters; raises `AccountRefused`."""
    return _clean("name", name, 1, NAME_CHARACTERS)


def clean_label(label: str) -> str:
    """What a person calls a token, up to 100 characters; raises `AccountRefused`."""
    return _clean("label", label, 0, LABEL_CHARACTERS)


def clean_search(wanted: str) -> str:
    """A part of a name or an address, in lower case; raises `AccountRefused`."""
    return _clean("text", wanted, 1, EMAIL_CHARACTERS).lower()


def clean_subject(subject: str) -> str:
    """The id that a provider gives to a person, kept as it is; raises `AccountRefused`."""
    return _clean("subject", subject, 1, SUBJECT_CHARACTERS)


def clean_email(email: str) -> str:
    """An address as it is written to, case kept; raises `AccountRefused`."""
    cleaned = _clean("email", email, 3, EMAIL_CHARACTERS)
    if not _EMAIL.fullmatch(cleaned):
        raise AccountRefused(
            "email must be one address, for instance ada@example.org.", param="email"
        )
    return cleaned


def sign_in_email(email: str) -> str:
    """An address as a person is known by: in lower case; raises `AccountRefused`."""
    return clean_email(clean_email(email).lower())


def clean_currency(code: str) -> str:
    """A currency's code in capitals; raises `AccountRefused`."""
    try:
        return get_currency(code).code
    except UnknownCurrency as error:
        raise AccountRefused(f"{error}.", param="currency") from error


def check_language(language: str) -> None:
    """Raise `AccountRefused` unless mails and pages exist in the language."""
    check_choice("language", language, LANGUAGES)


def check_choice(param: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise `AccountRefused` unless `value` is one of the words."""
    if value not in choices:
        raise AccountRefused(f"{param} must be one of: {', '.join(choices)}.", param=param)


def _clean(param: str, value: str, min_characters: int, max_characters: int) -> str:
    try:
        cleaned = clean_text(value.strip(), max_characters=max_characters)
    except TextRefused as error:
        raise AccountRefused(f"{param} {error}.", param=param) from error
    if len(cleaned) < min_characters:
        raise AccountRefused(
            f"{param} must have at least {min_characters} character(s); give one that has.",
            param=param,
        )
    return cleaned


def password_bytes(password: str) -> bytes:
    """What is hashed: the same for every way in which a keyboard may compose a letter."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def check_password(password: str, email: str) -> None:
    """Raise `PasswordTooWeak` for a password that a guesser would try first."""
    characters = unicodedata.normalize("NFC", password)
    if not PASSWORD_MIN_CHARACTERS <= len(characters) <= PASSWORD_MAX_CHARACTERS:
        _refuse_password(
            f"must have {PASSWORD_MIN_CHARACTERS} to {PASSWORD_MAX_CHARACTERS} characters; "
            f"this one has {len(characters)}. A sentence of four words does well."
        )
    if len(set(characters)) < PASSWORD_DIFFERENT_CHARACTERS:
        _refuse_password(
            f"must have at least {PASSWORD_DIFFERENT_CHARACTERS} different characters. "
            "A sentence of four words does well."
        )
    if characters.strip().lower() == email.lower():
        _refuse_password("must not be the e-mail address. Choose another.")


def _refuse_password(reason: str) -> NoReturn:
    raise PasswordTooWeak(f"The password {reason}", param="password")


def check_account_kind(account: Account, kind: AccountKind) -> None:
    """Raise `WrongAccountKind` unless the account is of that kind."""
    if account.kind != kind:
        raise WrongAccountKind(
            f"Account {account.id} is a {account.kind}. Give the number of a {kind}."
        )


def check_token_kind(account: Account, kind: TokenKind) -> None:
    """Raise `WrongAccountKind` unless that kind of token can belong to the account."""
    check_choice("kind", kind, get_args(TokenKind))
    if account.kind != _OWNER_KIND[kind]:
        fitting = [name for name, owner in _OWNER_KIND.items() if owner == account.kind]
        raise WrongAccountKind(
            f"Account {account.id} is a {account.kind}, which cannot have a token of the kind "
            f"{kind}. Ask for {' or '.join(fitting)}, or give the number of a {_OWNER_KIND[kind]}.",
            param="kind",
        )


def token_text(kind: TokenKind, secret: UUID, test_prefix: str) -> str:
    """The token that a client sends: a UUID, with a prefix that tells a test token from afar."""
    return f"{test_prefix}{secret}" if kind == "team_test" else str(secret)


def token_hint(token: str) -> str:
    """What may be kept of a token, so that a person can tell tokens apart."""
    return token[-HINT_CHARACTERS:]


def token_state(token: Token, now: datetime) -> TokenState:
    """`replaced` still works until it expires; `active` works until further notice."""
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is not None and token.expires_at <= now:
        return "expired"
    return "active" if token.replaced_by is None else "replaced"


def check_rotation(token: Token, overlap: timedelta, now: datetime) -> None:
    """Raise `TokenNotUsable` for a token past rotating, `AccountRefused` for a bad overlap."""
    state = token_state(token, now)
    if token.replaced_by is not None:
        raise TokenNotUsable(
            f"Token {token.id} was rotated before: {token.replaced_by} took its place. "
            "Rotate that one."
        )
    if state != "active":
        raise TokenNotUsable(
            f"Token {token.id} is {state}, so there is nothing to take over. Issue a new one."
        )
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise AccountRefused(
            f"overlap must be from 0 to {MAX_OVERLAP.days} days, for instance 24 hours.",
            param="overlap",
        )


def rotated_expiry(token: Token, overlap: timedelta, now: datetime) -> datetime:
    """When a token that is being rotated ends: after the overlap, and never later than before."""
    after_overlap = now + overlap
    return after_overlap if token.expires_at is None else min(token.expires_at, after_overlap)


def check_refill(below_cents: int, amount_cents: int) -> None:
    """Raise `AccountRefused` for a threshold or an amount that no refill can have."""
    if not 1 <= below_cents <= REFILL_MAX_CENTS:
        raise AccountRefused(
            "below must be from $0.01 to $999,999.99: the balance under which to refill.",
            param="below",
        )
    if not REFILL_MIN_CENTS <= amount_cents <= REFILL_MAX_CENTS:
        raise AccountRefused(
            "amount must be from $1.00 to $999,999.99: what one refill adds.", param="amount"
        )


def stays_on(is_on: bool, failures: int) -> bool:
    """Whether refills go on after so many failures in a row."""
    return is_on and failures < REFILL_TRIES
