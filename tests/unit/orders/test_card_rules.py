"""What an order by card will become, frozen before its card is charged."""

import msgspec
import pytest

from fieldfare.catalog.rules import build_catalogue
from fieldfare.orders.model import FrozenQuote, OffsetRequest, Party, Quote
from fieldfare.orders.rules import answer_with_charge, freeze, quote_offset
from fieldfare.payments.rules import IN_DOLLARS
from tests.support.catalog_rows import BEGINNING, small_rows

ANSWER = '{"id":"","note":"{\\"id\\":\\"\\"","name":"Ñandú \\u2028"}'.encode()


def quote(mass_mg: int = 1_500_000_001) -> Quote:
    """Two projects in equal parts of money, at $20 and $40 a tonne."""
    asked = OffsetRequest(
        mass_mg=mass_mg, portfolio_id=None, payment_method="stripe", dry_run=False,
        send_receipt=False, max_amount_minor=None, party=Party(),
    )  # fmt: skip
    portfolio = build_catalogue(small_rows(), 1, BEGINNING).portfolios[12]
    return quote_offset(asked, portfolio, IN_DOLLARS, price_revision=1)


def test_each_share_becomes_a_line_with_all_that_will_be_written() -> None:
    quoted = quote()
    frozen = freeze(quoted, ANSWER)
    for share, line in zip(quoted.shares, frozen.lines, strict=True):
        assert line.project_id == share.project.id
        assert (line.mass_mg, line.trees) == (share.mass_mg, share.trees)
        assert (line.amount_micro, line.billed_micro) == (share.amount_micro, share.billed_micro)
        assert line.amount_micro - line.partner_micro == share.margin_micro
        assert line.unit_price_micro == share.project.unit_price_micro
        assert line.partner_share_ppm == share.project.partner_share_ppm == 800_000
        assert (line.kind, line.weight_ppm) == ("offset", 500_000)
        assert (line.standing, line.partner_id) == ("certified", 1)
        assert line.certification_status == "standard 2023"
    assert sum(line.mass_mg for line in frozen.lines) == quoted.mass_mg
    assert frozen.certified_mg == quoted.certified_mg == quoted.mass_mg


def test_what_is_frozen_comes_back_from_the_database_as_it_was() -> None:
    frozen = freeze(quote(), ANSWER)
    stored = msgspec.json.decode(msgspec.json.encode(frozen))
    assert msgspec.convert(stored, FrozenQuote) == frozen


def test_uncertified_lines_count_for_nothing() -> None:
    frozen = freeze(quote(), ANSWER)
    lines = [msgspec.structs.replace(frozen.lines[0], standing="uncertified"), frozen.lines[1]]
    assert FrozenQuote(lines=lines, answer="").certified_mg == frozen.lines[1].mass_mg


def test_the_charge_takes_the_place_of_the_first_empty_id_only() -> None:
    frozen = freeze(quote(), ANSWER)
    answered = answer_with_charge(frozen.answer, "ch_1")
    assert answered == ANSWER.replace(b'{"id":""', b'{"id":"ch_1"', 1)
    assert msgspec.json.decode(answered)["id"] == "ch_1"
    assert msgspec.json.decode(answered)["note"] == '{"id":""'


def test_a_strange_charge_id_is_escaped() -> None:
    answered = answer_with_charge('{"id":"","a":1}', 'ch_"\\')
    assert msgspec.json.decode(answered) == {"id": 'ch_"\\', "a": 1}


@pytest.mark.parametrize("answer", [b"", b'{"id":null}', b'{"id":"x"}', b' {"id":""}'])
def test_an_answer_that_does_not_begin_with_an_empty_id_is_a_bug_of_ours(answer: bytes) -> None:
    with pytest.raises(AssertionError, match="begins with its id"):
        freeze(quote(), answer)
