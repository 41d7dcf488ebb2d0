"""Text: normalised and then kept, or refused by the name of the character that is to blame."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldfare.kernel.text import TextRefused, clean_text

bounded = settings(max_examples=200, deadline=None)

anything = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from("\r\n\t\x00\x85\u2028\u202e\u2066\ud800e\u0301한ﬁ"),
    ),
    max_size=20,
)

DECEPTIVE = [*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
CONTROLS = [chr(c) for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\t\n"]
SEPARATORS = ["\u2028", "\u2029"]
SURROGATES = ["\ud800", "\udbff", "\udc00", "\udfff", "\ud83d", "\udc00\ud800"]


@bounded
@given(anything, st.booleans())
def test_kept_text_is_normal_and_harmless(text: str, lines: bool) -> None:
    try:
        kept = clean_text(text, max_characters=60, lines=lines)
    except TextRefused:
        return
    assert unicodedata.is_normalized("NFC", kept)
    assert kept == unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    categories = {unicodedata.category(c) for c in kept if not (lines and c in "\n\t")}
    assert not categories & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(kept) & set(DECEPTIVE)
    kept.encode()


@bounded
@given(anything, st.booleans())
def test_only_named_characters_are_refused(text: str, lines: bool) -> None:
    try:
        clean_text(text, max_characters=60, lines=lines)
    except TextRefused as refusal:
        named = re.search(r"U\+([0-9A-F]{4,6});", str(refusal))
        assert named
        assert chr(int(named[1], 16)) in text
        assert named[1] not in ("000A", "0009") or not lines


@bounded
@given(anything, st.booleans())
def test_cleaning_twice_is_cleaning_once(text: str, lines: bool) -> None:
    try:
        kept = clean_text(text, max_characters=60, lines=lines)
    except TextRefused:
        return
    assert clean_text(kept, max_characters=60, lines=lines) == kept


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("bad", [*DECEPTIVE, *CONTROLS, *SEPARATORS, *SURROGATES], ids=ascii)
def test_a_deceptive_character_is_refused_and_named(bad: str, lines: bool) -> None:
    with pytest.raises(TextRefused, match=rf"U\+{ord(bad[0]):04X}; remove it"):
        clean_text(f"for Ada{bad}!", max_characters=100, lines=lines)


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\r\nb", "a\n"])
def test_newline_and_tab_are_for_texts_with_lines(text: str) -> None:
    assert clean_text(text, max_characters=3, lines=True) == text.replace("\r\n", "\n")
    with pytest.raises(TextRefused):
        clean_text(text, max_characters=3)


@pytest.mark.parametrize("text", ["a\rb", "a\r", "\r\r\n", "\n\r"])
@pytest.mark.parametrize("lines", [True, False])
def test_a_lone_carriage_return_is_refused(text: str, lines: bool) -> None:
    with pytest.raises(TextRefused):
        clean_text(text, max_characters=100, lines=lines)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Ame\u0301lie", "Am\u00e9lie"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("\u212b", "\u00c5"),
        ("\ufb01n", "\ufb01n"),  # a compatibility ligature is no canonical one: kept
        ("", ""),
        ("  two  ", "  two  "),
        ("עברית و العربية", "עברית و العربية"),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_text_is_kept_in_its_composed_form(text: str, kept: str) -> None:
    assert clean_text(text, max_characters=20) == kept


def test_the_length_is_counted_after_normalisation() -> None:
    assert clean_text("e\u0301" * 5, max_characters=5) == "\u00e9" * 5
    assert clean_text("a\r\n" * 5, max_characters=10, lines=True) == "a\n" * 5
    assert len(clean_text("\U0001f333" * 5, max_characters=5)) == 5
    # U+0958 is two code points in NFC.
    with pytest.raises(TextRefused, match=r"at most 5 characters; this one has 10"):
        clean_text("\u0958" * 5, max_characters=5)


def test_a_text_that_is_too_long_is_told_both_lengths() -> None:
    assert clean_text("a" * 10_000, max_characters=10_000) == "a" * 10_000
    with pytest.raises(TextRefused, match=r"at most 10,000 characters; this one has 10,001"):
        clean_text("a" * 10_001, max_characters=10_000)
