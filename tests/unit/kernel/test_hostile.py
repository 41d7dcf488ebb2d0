"""The hostile texts are what they claim to be, or no test that uses them could fail."""

import html
import unicodedata

import pytest

from fieldfare.kernel import limits
from fieldfare.kernel.text import TextRefused, clean_text
from tests.support import hostile

ACTS = [
    text
    for text in hostile.HTML
    if not text.startswith(("<!DOCTYPE", "&lt;", "[q7x]", "\u00bcscript"))
]


@pytest.mark.parametrize("text", hostile.IN_LINE, ids=ascii)
def test_what_a_line_may_hold_is_kept_as_it_is(text: str) -> None:
    assert clean_text(text, max_characters=limits.ON_BEHALF_OF_NAME_CHARACTERS) == text
    assert unicodedata.is_normalized("NFC", text)
    assert hostile.RESULT not in text


@pytest.mark.parametrize("text", hostile.IN_LINES, ids=ascii)
def test_what_lines_may_hold_is_kept_as_it_is(text: str) -> None:
    assert clean_text(text, max_characters=limits.NOTE_CHARACTERS, lines=True) == text


def test_what_is_refused_is_refused_whole() -> None:
    for text in hostile.REFUSED:
        with pytest.raises(TextRefused):
            clean_text(text, max_characters=limits.NOTE_CHARACTERS, lines=True)
    for text in hostile.REFUSED_IN_LINE:
        with pytest.raises(TextRefused):
            clean_text(text, max_characters=limits.NOTE_CHARACTERS)


@pytest.mark.parametrize("text", ACTS, ids=ascii)
def test_markup_that_acts_is_seen(text: str) -> None:
    pages = (f"<p>{text}</p>", f'<p title="{text}">', f"<p title='{text}'>")
    assert any(hostile.acting(page) for page in pages)


@pytest.mark.parametrize("text", [*hostile.IN_LINE, *hostile.IN_LINES], ids=ascii)
def test_what_is_shown_as_it_was_sent_does_not_act(text: str) -> None:
    escaped = html.escape(text)
    page = f'<p title="{escaped}">{escaped}</p><script type="application/json">{{}}</script>'
    assert hostile.acting(page) == []
    assert text in hostile.words_of(page)
    if "<" in text:
        assert text not in hostile.words_of(f"<p>{html.escape(escaped)}</p>")
