"""What a certificate says, when it holds no more, and that its number bears being typed."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.catalog.service import preset_catalogue
from fieldfare.impact.errors import CertificateNumberRefused
from fieldfare.impact.model import Certificate, Edition
from fieldfare.impact.rules import (
    ALPHABET,
    DRAWN_CHARACTERS,
    digest_of,
    hash_name,
    number_from,
    projects_of,
    read_number,
    says_what_was_bought,
    show_number,
    state_of,
    state_of_number,
    still_holds,
    verification_at_address,
    verification_of,
)
from fieldfare.orders.model import CertifiedLine, CertifiedOrder
from tests.support.certificates import BODY

NOW = datetime(2026, 11, 21, tzinfo=UTC)
CATALOGUE = preset_catalogue()
LINES = (
    CertifiedLine(
        project_id=1, standing="uncertified", certification_status="none", mass_mg=10, trees=0,
        refunded_mg=0, refunded_trees=0,
    ),
    CertifiedLine(
        project_id=2, standing="external_standard", certification_status="Plan Vivo", mass_mg=30,
        trees=0, refunded_mg=0, refunded_trees=0,
    ),
    CertifiedLine(
        project_id=999, standing="certified", certification_status="gone", mass_mg=0, trees=7,
        refunded_mg=0, refunded_trees=0,
    ),
)  # fmt: skip
ORDER = CertifiedOrder(
    purchase_id=UUID(int=1), account_id=1001, state="paid", charge_id="ch_1",
    certificate_slug=UUID(int=2), paid_at=NOW, on_behalf_of_name=None, lines=LINES,
)  # fmt: skip
SALT = bytes(16)
drawn = st.lists(
    st.integers(0, len(ALPHABET) - 1), min_size=DRAWN_CHARACTERS, max_size=DRAWN_CHARACTERS
)


def order(refunded_mg: int = 0, refunded_trees: int = 0, **fields: Any) -> CertifiedOrder:
    """The order, with so much refunded of one line and another."""
    lines = (
        LINES[0],
        msgspec.structs.replace(LINES[1], refunded_mg=refunded_mg),
        msgspec.structs.replace(LINES[2], refunded_trees=refunded_trees),
    )
    return msgspec.structs.replace(ORDER, lines=lines, **fields)


def edition(
    of: CertifiedOrder, purchaser: str | None = "Ada", salt: bytes | None = SALT
) -> Edition:
    """What was issued for it."""
    return Edition(
        number=number_from([3] * DRAWN_CHARACTERS), purchase_id=of.purchase_id,
        account_id=of.account_id, edition=1, figures=digest_of(of),
        purchaser_hash=hash_name(SALT, purchaser) if purchaser else None, salt=salt,
        issued_at=NOW,
    )  # fmt: skip


def certificate(state: Any = "genuine", number: str = BODY.number, **fields: Any) -> Certificate:
    """The one that holds."""
    return Certificate(
        group_id="ch_1", number=number, purchaser="Ada", purchaser_salt=None, issued_at=NOW,
        state=state, projects=projects_of(ORDER, CATALOGUE), language="en", url="", signed=None,
        **fields,
    )  # fmt: skip


def test_it_says_what_stands_and_what_was_bought_if_nothing_does() -> None:
    part = projects_of(order(refunded_mg=10, refunded_trees=2), CATALOGUE)
    assert [(one.id, one.mass_mg, one.trees) for one in part] == [
        (1, 10, 0),
        (2, 20, 0),
        (999, 0, 5),
    ]
    whole = projects_of(order(refunded_mg=30, refunded_trees=7, state="refunded"), CATALOGUE)
    assert whole == projects_of(ORDER, CATALOGUE)
    assert [one.name for one in whole][1:] == [CATALOGUE.projects[2].name, "Project 999"]
    assert [one.registry for one in whole][1:] == ["Plan Vivo register", None]


def test_only_what_is_certified_in_some_way_counts() -> None:
    assert (certificate().mass_mg, certificate().trees) == (30, 7)


def test_says_what_was_bought() -> None:
    assert says_what_was_bought(ORDER)
    assert not says_what_was_bought(order(refunded_mg=1))
    assert not says_what_was_bought(order(refunded_trees=1))
    assert says_what_was_bought(order(refunded_mg=1, state="refunded"))


def test_an_edition_holds_until_a_part_is_given_back() -> None:
    issued = edition(ORDER)
    assert still_holds(issued, ORDER, "Ada")
    assert still_holds(issued, order(state="disputed"), "Ada")
    for part in (order(refunded_mg=1), order(refunded_trees=1)):
        assert not still_holds(issued, part, "Ada")
        assert still_holds(edition(part), part, "Ada")
    assert not still_holds(None, ORDER, "Ada")


def test_of_what_was_given_back_wholly_nothing_new_is_issued() -> None:
    issued = edition(order(refunded_mg=1))
    assert still_holds(issued, order(refunded_mg=30, refunded_trees=7, state="refunded"), "Ada")
    assert not still_holds(None, order(state="refunded"), "Ada")


def test_another_name_takes_another_edition_and_a_forgotten_one_does_not() -> None:
    issued = edition(ORDER)
    assert not still_holds(issued, ORDER, "Grace")
    assert still_holds(issued, ORDER, None)
    assert still_holds(edition(ORDER, salt=None), ORDER, None)
    assert not still_holds(edition(ORDER, None, None), ORDER, "Ada")


def test_a_name_is_hashed_in_its_normal_form() -> None:
    assert hash_name(SALT, "Amélie") == hash_name(SALT, "Ame\u0301lie")
    assert hash_name(SALT, "Ada") != hash_name(bytes([1] * 16), "Ada")


def test_states() -> None:
    assert state_of(ORDER) == state_of(order(state="disputed")) == "genuine"
    assert state_of(order(state="refunded")) == "refunded"
    number = number_from([5] * DRAWN_CHARACTERS)
    same, other = show_number(number), show_number(number_from([6] * DRAWN_CHARACTERS))
    assert state_of_number(number, certificate(number=same)) == "genuine"
    assert state_of_number(number, certificate(number=other)) == "replaced"
    for shown in (same, other):
        assert state_of_number(number, certificate("refunded", shown)) == "refunded"


def test_a_verification_tells_what_the_document_says_and_what_became_of_it() -> None:
    number = show_number(number_from([5] * DRAWN_CHARACTERS))
    body = msgspec.structs.replace(BODY, number=number)
    found = verification_of(body, certificate(number=number))
    assert (found.fault, found.state, found.mass_mg) == (None, "genuine", BODY.mass_mg)
    assert verification_of(body, certificate(number="other")).fault == "replaced"
    assert verification_of(body, certificate("refunded")).fault == "refunded"
    assert verification_at_address(certificate()).fault is None
    assert verification_at_address(certificate("refunded")).fault == "refunded"
    sample = verification_at_address(certificate(is_sample=True))
    assert (sample.fault, sample.state) == ("sample", None)


# ------------------------------------------------------------------------------------------ numbers


@given(drawn)
def test_a_number_is_read_however_it_is_typed(places: list[int]) -> None:
    number = number_from(places)
    shown = show_number(number)
    assert [len(group) for group in shown.split("-")] == [4, 4, 4]
    for typed in (number, shown, shown.lower(), f" {shown.replace('-', '  ')} "):
        assert read_number(typed) == number


@given(drawn, st.integers(0, DRAWN_CHARACTERS), st.integers(1, len(ALPHABET) - 1))
def test_one_character_that_is_mistyped_is_found(places: list[int], at: int, by: int) -> None:
    number = number_from(places)
    wrong = ALPHABET[(ALPHABET.index(number[at]) + by) % len(ALPHABET)]
    with pytest.raises(CertificateNumberRefused):
        read_number(number[:at] + wrong + number[at + 1 :])


@given(drawn, st.integers(0, DRAWN_CHARACTERS), st.integers(0, DRAWN_CHARACTERS))
def test_two_characters_that_are_exchanged_are_found(places: list[int], one: int, two: int) -> None:
    letters = list(number_from(places))
    if letters[one] == letters[two]:
        return
    letters[one], letters[two] = letters[two], letters[one]
    with pytest.raises(CertificateNumberRefused):
        read_number("".join(letters))


@pytest.mark.parametrize(
    "text", ["", "-", "SAMPLE", "2" * 11, "2" * 13, "0" * 12, "é" * 12, "2" * 10_000, "\x00" * 12]
)
def test_what_is_no_number_is_told_so(text: str) -> None:
    with pytest.raises(CertificateNumberRefused, match="6K3M-Q9XD-2HTA"):
        read_number(text)
