"""Authorization headers: every form that clients send gives the token, and no other text does."""

import base64
import hashlib
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fieldfare.http.auth import TEST_PREFIX, hash_token, read_token
from fieldfare.kernel.errors import AccessRefused

bounded = settings(max_examples=200, deadline=None)

LIVE = "3f2b8c1e-9d4a-4b7c-8e21-5a6d7f809b1c"
TEST = f"{TEST_PREFIX}{LIVE}"


def basic(text: str) -> str:
    """A Basic header with `text` as its credentials."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {LIVE}",
        f"bearer {LIVE}",
        f"BEARER   {LIVE}  ",
        f"  Bearer {LIVE}\n",
        f"Bearer \t{LIVE}\r\n",
        f"Bearer {LIVE.upper()}",
        basic(f"{LIVE}:"),
        basic(LIVE),
        basic(f"{LIVE}\n"),
        basic(f"{LIVE}:\n"),
        basic(f"{LIVE}\r\n:"),
        basic(f"  {LIVE}  :  "),
        basic(f"{LIVE.upper()}:"),
        basic(f"{LIVE}:").replace("Basic", "basic"),
        basic(f"{LIVE}:").replace("Basic ", " BASIC   ") + " \r\n",
    ],
)
def test_every_form_that_clients_send_gives_the_token(header: str) -> None:
    assert read_token(header) == LIVE


@pytest.mark.parametrize(
    "header", [f"Bearer {TEST}", f"Bearer {TEST.upper()}", basic(f"{TEST}:"), basic(f"{TEST}\n")]
)
def test_a_test_token_keeps_its_prefix(header: str) -> None:
    assert read_token(header) == TEST


@pytest.mark.parametrize("header", [None, "", "   ", "\r\n"])
def test_no_header_is_told_apart_from_a_bad_one(header: str | None) -> None:
    with pytest.raises(AccessRefused) as refused:
        read_token(header)
    assert (refused.value.status, refused.value.code) == (403, "token_missing")
    assert "Authorization: Bearer TOKEN" in refused.value.message


@pytest.mark.parametrize(
    "header",
    [
        LIVE,  # no scheme
        "Bearer",
        "Bearer ",
        f"Bearer{LIVE}",
        f"Token {LIVE}",
        f"Digest {LIVE}",
        f"Bearer {LIVE} {LIVE}",
        f"Bearer {LIVE},",
        f'Bearer "{LIVE}"',
        f"Bearer {LIVE[:-1]}",
        f"Bearer {LIVE}0",
        f"Bearer {LIVE.replace('-', '')}",
        f"Bearer {{{LIVE}}}",
        f"Bearer urn:uuid:{LIVE}",
        f"Bearer {LIVE.replace('3', 'g', 1)}",
        f"Bearer {LIVE.replace('3', '３', 1)}",  # a full-width digit
        f"Bearer wren_live_{LIVE}",
        f"Bearer {TEST_PREFIX}{TEST}",
        f"Bearer {base64.b64encode(LIVE.encode()).decode()}",
        "Basic",
        "Basic !!!",
        f"Basic {LIVE}",
        "Basic \xff\xfe",
        basic(f"{LIVE}:{LIVE}"),  # a password means that something else was meant
        basic(f":{LIVE}"),
        basic(f"ada@example.org:{LIVE}"),
        basic(f"{LIVE}é:"),
        basic(""),
        basic(f"{LIVE}:")[:-3],  # cut off
        f"Bearer {LIVE}\x00",
        "Bearer " + "a" * 100_000,
        basic("a" * 100_000),
    ],
)
def test_anything_else_is_refused_without_repeating_it(header: str) -> None:
    with pytest.raises(AccessRefused) as refused:
        read_token(header)
    assert (refused.value.status, refused.value.code) == (403, "token_malformed")
    assert LIVE not in refused.value.message
    assert len(refused.value.message) < 300


BLANKS = st.text(" \t\r\n", max_size=3)


@bounded
@given(st.uuids(version=4), st.sampled_from(["", TEST_PREFIX]), BLANKS, BLANKS, st.booleans())
def test_blanks_and_case_never_change_the_token(
    uuid: UUID, prefix: str, before: str, after: str, in_capitals: bool
) -> None:
    token = f"{prefix}{uuid}"
    sent = token.upper() if in_capitals else token
    assert read_token(f"Bearer {before}{sent}{after}") == token
    assert read_token(basic(f"{before}{sent}{after}:")) == token


@bounded
@given(st.text(max_size=80))
@example("Basic =")
@example("Basic Og==")
@example("bearer \udcff")
def test_no_text_ends_in_anything_but_a_token_or_a_refusal(header: str) -> None:
    try:
        token = read_token(header)
    except AccessRefused:
        return
    assert str(UUID(token.removeprefix(TEST_PREFIX))) in header.lower()


def test_a_token_is_known_by_its_sha256() -> None:
    assert hash_token(TEST) == hashlib.sha256(TEST.encode("ascii")).digest()
    assert len(hash_token(LIVE)) == 32
