"""Limits: each is a bound that can be met, and they do not contradict one another."""

from fieldfare.kernel import limits


def test_every_limit_is_a_positive_whole_number() -> None:
    bounds = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert bounds
    assert all(type(value) is int and value > 0 for value in bounds.values())


def test_the_longest_note_fits_in_a_body_in_any_script() -> None:
    note = "\U0001f333" * limits.NOTE_CHARACTERS
    assert len(note.encode()) < limits.BODY_BYTES


def test_the_most_metadata_fits_in_a_body() -> None:
    pair = limits.METADATA_KEY_CHARACTERS + limits.METADATA_VALUE_CHARACTERS
    assert limits.METADATA_PAIRS * (pair + len('"":"",')) < limits.BODY_BYTES


def test_a_page_is_by_default_no_longer_than_it_may_be() -> None:
    assert limits.LEDGER_PAGE_DEFAULT_ROWS <= limits.LEDGER_PAGE_ROWS
