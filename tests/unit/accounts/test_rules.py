"""The rules of accounts: what may be kept, and when a token works and can be rotated."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fieldfare.accounts import rules
from fieldfare.accounts.errors import (
    AccountRefused,
    PasswordTooWeak,
    TokenNotUsable,
    WrongAccountKind,
)
from fieldfare.accounts.model import Account, AccountKind, IssuedToken, PasswordIdentity, Token
from fieldfare.http.principal import TokenKind

bounded = settings(max_examples=200, deadline=None)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SECRET = UUID("3f2b8c1e-9d4a-4b7c-8e21-5a6d7f809b1c")
OTHER_ID = UUID(int=2)
EMAIL = "ada@example.org"


def account(kind: AccountKind) -> Account:
    """An account of that kind."""
    return Account(
        id=1001,
        kind=kind,
        name="Ada",
        billing_email=EMAIL,
        currency="USD",
        language="en",
        created_at=NOW,
    )


TOKEN = Token(
    id=UUID(int=1),
    account_id=1001,
    kind="team_live",
    hint="9b1c",
    label="Shop",
    created_at=NOW,
    expires_at=None,
    revoked_at=None,
    replaced_by=None,
)


def token(**changes: object) -> Token:
    """A token that works, but for what is said."""
    return msgspec.structs.replace(TOKEN, **changes)


def test_names_are_one_line_of_1_to_200_characters() -> None:
    assert rules.clean_name("  Ada Byron ") == "Ada Byron"
    assert rules.clean_name("A\u030a" * 200) == "Å" * 200
    for bad in ("", "   ", "A" * 201, "A\nB", "A\x00", "A\u202eB"):
        with pytest.raises(AccountRefused) as refused:
            rules.clean_name(bad)
        assert refused.value.param == "name"


def test_labels_may_be_empty_and_hold_100_characters() -> None:
    assert rules.clean_label("") == ""
    assert rules.clean_label("x" * 100) == "x" * 100
    with pytest.raises(AccountRefused, match="at most 100"):
        rules.clean_label("x" * 101)


def test_a_providers_subject_keeps_its_case() -> None:
    assert rules.clean_subject("aBc-123") == "aBc-123"
    with pytest.raises(AccountRefused, match="at least 1"):
        rules.clean_subject(" ")


def test_a_search_is_in_lower_case_and_never_for_everything() -> None:
    assert rules.clean_search(" Example.ORG ") == "example.org"
    with pytest.raises(AccountRefused):
        rules.clean_search("  ")


def test_an_address_keeps_its_case_to_be_written_to_and_loses_it_to_sign_in() -> None:
    assert rules.clean_email(" Ada@Example.org\n") == "Ada@Example.org"
    assert rules.sign_in_email(" Ada@Example.org\n") == "ada@example.org"


@pytest.mark.parametrize(
    "email",
    ["", "a", "ab", "ada", "@b.c", "a@", "a@b@c", "a b@c.d", "a@b c", "a@b\x00", f"a@{'b' * 319}"],
)
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(AccountRefused) as refused:
        rules.sign_in_email(email)
    assert refused.value.param == "email"


@bounded
@given(st.text(max_size=12), st.text(max_size=12))
@example("İ", "ẞ")
@example("A\u030a", "ﬁ")
def test_one_address_has_one_form_to_sign_in(local: str, domain: str) -> None:
    try:
        known_as = rules.sign_in_email(f"{local}@{domain}")
    except AccountRefused:
        return
    assert rules.sign_in_email(known_as) == known_as
    assert 3 <= len(known_as) <= rules.EMAIL_CHARACTERS
    assert known_as.count("@") == 1
    assert "\x00" not in known_as


def test_a_currency_is_one_that_a_card_can_be_charged_in() -> None:
    assert rules.clean_currency("eur") == "EUR"
    with pytest.raises(AccountRefused) as refused:
        rules.clean_currency("XYZ")
    assert refused.value.param == "currency"


def test_a_language_is_one_that_pages_exist_in() -> None:
    for language in rules.LANGUAGES:
        rules.check_language(language)
    with pytest.raises(AccountRefused, match="en, de, fr, es"):
        rules.check_language("tlh")


@pytest.mark.parametrize("password", ["four words do well", "å" * 8 + "bcde", "0123456789ab"])
def test_a_long_password_of_some_variety_will_do(password: str) -> None:
    rules.check_password(password, EMAIL)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "12 to 256"),
        ("elevenchars", "this one has 11"),
        ("a\u030a" * 4 + "bcdefg", "this one has 10"),  # counted as a person counts
        ("a1" * 129, "12 to 256"),
        ("aaaaaaaaaaaaaaaaa", "5 different"),
        ("121212121212121", "5 different"),
        ("ADA@example.org", "e-mail"),
        (" ada@example.org ", "e-mail"),
    ],
)
def test_a_password_that_is_guessed_first_is_refused(password: str, reason: str) -> None:
    with pytest.raises(PasswordTooWeak, match=reason) as refused:
        rules.check_password(password, EMAIL)
    assert refused.value.param == "password"
    assert not password or password not in refused.value.message


def test_a_password_is_the_same_however_its_letters_are_composed() -> None:
    assert rules.password_bytes("a\u030angstro\u0308m") == rules.password_bytes("ångström")
    assert rules.password_bytes("Ångström") != rules.password_bytes("ångström")
    assert rules.password_bytes("\ud800")  # no text stops a sign-in with an error of ours


def test_a_team_does_not_stand_where_a_user_belongs() -> None:
    rules.check_account_kind(account("user"), "user")
    with pytest.raises(WrongAccountKind, match="is a team"):
        rules.check_account_kind(account("team"), "user")


KINDS: list[TokenKind] = ["team_live", "team_test", "personal"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("owner", ["user", "team"])
def test_team_tokens_are_for_teams_and_personal_ones_for_users(
    owner: AccountKind, kind: TokenKind
) -> None:
    if (owner == "user") == (kind == "personal"):
        rules.check_token_kind(account(owner), kind)
    else:
        with pytest.raises(WrongAccountKind, match=f"Account 1001 is a {owner}"):
            rules.check_token_kind(account(owner), kind)


def test_a_kind_of_token_that_does_not_exist_is_refused() -> None:
    kind: Any = "root"
    with pytest.raises(AccountRefused, match="team_live, team_test, personal"):
        rules.check_token_kind(account("team"), kind)


def test_only_a_test_token_has_a_prefix_and_the_hint_is_its_end() -> None:
    assert rules.token_text("team_live", SECRET, "test_") == str(SECRET)
    assert rules.token_text("personal", SECRET, "test_") == str(SECRET)
    assert rules.token_text("team_test", SECRET, "test_") == f"test_{SECRET}"
    assert rules.token_hint(str(SECRET)) == "9b1c"


def test_the_states_of_a_token() -> None:
    assert rules.token_state(token(), NOW) == "active"
    ending = token(expires_at=NOW + SECOND, replaced_by=OTHER_ID)
    assert rules.token_state(ending, NOW) == "replaced"
    assert rules.token_state(ending, NOW + SECOND) == "expired"
    assert rules.token_state(token(expires_at=NOW + SECOND), NOW) == "active"
    revoked = token(revoked_at=NOW, expires_at=NOW - SECOND)
    assert rules.token_state(revoked, NOW) == "revoked"


@pytest.mark.parametrize("overlap", [timedelta(0), timedelta(hours=24), rules.MAX_OVERLAP])
def test_a_token_that_works_can_be_rotated(overlap: timedelta) -> None:
    rules.check_rotation(token(), overlap, NOW)
    assert rules.rotated_expiry(token(), overlap, NOW) == NOW + overlap


def test_rotating_never_lengthens_the_life_of_a_token() -> None:
    ending = token(expires_at=NOW + SECOND)
    rules.check_rotation(ending, timedelta(hours=1), NOW)
    assert rules.rotated_expiry(ending, timedelta(hours=1), NOW) == NOW + SECOND


@pytest.mark.parametrize("overlap", [-SECOND, rules.MAX_OVERLAP + SECOND])
def test_an_overlap_is_bounded(overlap: timedelta) -> None:
    with pytest.raises(AccountRefused) as refused:
        rules.check_rotation(token(), overlap, NOW)
    assert refused.value.param == "overlap"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"revoked_at": NOW}, "is revoked"),
        ({"expires_at": NOW}, "is expired"),
        ({"expires_at": NOW + SECOND, "replaced_by": OTHER_ID}, f"{OTHER_ID} took its place"),
    ],
)
def test_a_token_past_its_work_is_not_rotated(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(TokenNotUsable, match=reason):
        rules.check_rotation(token(**changes), timedelta(hours=1), NOW)


def test_what_holds_a_secret_does_not_print_it() -> None:
    issued = IssuedToken(
        id=OTHER_ID, account_id=1, kind="team_live", label="Shop", token=str(SECRET)
    )
    identity = PasswordIdentity(id=1, user_id=2, secret="$argon2id$v=19$abc")
    for shown in (repr(issued), str(issued), f"{issued}"):
        assert str(SECRET) not in shown
    assert "argon2id" not in repr(identity)


@pytest.mark.parametrize(
    ("below_cents", "amount_cents"), [(1, 100), (99_999_999, 99_999_999), (5_000, 100)]
)
def test_a_refill_within_the_bounds_of_a_top_up_is_taken(
    below_cents: int, amount_cents: int
) -> None:
    rules.check_refill(below_cents, amount_cents)


@pytest.mark.parametrize(
    ("below_cents", "amount_cents", "param"),
    [
        (0, 100, "below"),
        (-1, 100, "below"),
        (100_000_000, 100, "below"),
        (1, 99, "amount"),
        (1, -100, "amount"),
        (1, 100_000_000, "amount"),
    ],
)
def test_a_refill_beyond_them_is_refused(below_cents: int, amount_cents: int, param: str) -> None:
    with pytest.raises(AccountRefused) as refused:
        rules.check_refill(below_cents, amount_cents)
    assert refused.value.param == param


def test_the_third_failure_in_a_row_switches_refills_off() -> None:
    assert [rules.stays_on(True, failures) for failures in range(1, 5)] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not rules.stays_on(False, 1)
