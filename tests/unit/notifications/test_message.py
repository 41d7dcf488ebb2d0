"""A mail as bytes: exactly the headers that were asked for, whatever stands in a name."""

from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.parser import BytesParser
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldfare.integrations.mail import Mail, MailRefused
from fieldfare.integrations.mail.address import display_name, parse_sender
from fieldfare.integrations.mail.message import write_mail
from tests.support.mail_sink import plain_mail

NOW = datetime(2026, 11, 21, 18, 52, tzinfo=UTC)
SENDER = parse_sender("Wren Inc. <receipts@seller.example>")
HEADERS = [
    "Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "X-Auto-Response-Suppress",
    "MIME-Version", "Content-Type",
]  # fmt: skip

NAMES = [
    'Zoë "x" <a@b.example>, Bcc: c@d.example ' + "É" * 100,
    '"Ada" <ada@evil.example>',
    "Ada, x@evil.example",
    "=?utf-8?q?Ada=0d=0aBcc:_x@evil.example?=",
    "Ada\\",
    "Ada (comment",
    "group: a@b.example;",
    "🌳" * 200,
    "مرحبا بالعالم",
    "x" * 5_000,
    ".",
    "Dr. Ada O'Buyer-Smith Jr.",
    "",
]


def written(mail: Mail) -> bytes:
    """Its bytes."""
    return write_mail(mail, SENDER, NOW).content


def mailboxes(raw: bytes, name: str) -> list[tuple[str, str]]:
    """The mailboxes in a header: both readers of the standard library find the same addresses."""
    modern = BytesParser(policy=policy.default).parsebytes(raw, headersonly=True)[name]
    lenient = getaddresses([str(BytesParser().parsebytes(raw, headersonly=True)[name])])
    assert [address for _, address in lenient] == [one.addr_spec for one in modern.addresses]
    return [(str(make_header(decode_header(shown))), address) for shown, address in lenient]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("address", ["ada@buyer.example", "zoë@buyer.example"])
def test_a_name_never_becomes_an_address(name: str, address: str) -> None:
    raw = written(plain_mail(to=address, to_name=name))
    head, _, _ = raw.partition(b"\r\n\r\n")
    read = BytesParser(policy=policy.default).parsebytes(raw, headersonly=True)
    assert read.keys() == HEADERS
    assert max(len(line) for line in head.split(b"\r\n")) <= 200
    if address.isascii():
        ((shown, found),) = mailboxes(raw, "To")
        assert found == address
        assert shown == display_name(name)
    else:
        assert head.count(b"@buyer.example") == 1


@pytest.mark.parametrize(
    "name", ["Ada\r\nBcc: x@evil.example", "Ada\nX: y", "Ada\rX", "Ada\x00", "Ada\u2028X", "\x7f"]
)
def test_what_could_end_a_line_is_refused_or_a_blank(name: str) -> None:
    for mail in (plain_mail(subject=name), plain_mail(headers={"X-Note": name})):
        with pytest.raises(MailRefused):
            written(mail)
    try:
        raw = written(plain_mail(to_name=name))
    except MailRefused:
        return
    assert BytesParser(policy=policy.default).parsebytes(raw).keys() == HEADERS


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_name_and_subject_are_written_safely_or_refused(name: str, subject: str) -> None:
    try:
        raw = written(plain_mail(to_name=name, subject=subject))
    except MailRefused:
        return
    assert BytesParser(policy=policy.default).parsebytes(raw, headersonly=True).keys() == HEADERS
    assert [found for _, found in mailboxes(raw, "To")] == ["ada@buyer.example"]


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=300))
def test_a_subject_reads_as_it_was_written(word: str) -> None:
    subject = f"Receipt {word} · paid"
    raw = written(plain_mail(subject=subject))
    assert BytesParser(policy=policy.default).parsebytes(raw)["Subject"] == subject


@pytest.mark.parametrize(
    "headers",
    [{"Bcc": "x@y.example"}, {"to": "x"}, {"Content-Type": "text/html"}, {"X-A: b\r\nBcc": "x"},
     {"": "x"}, {"Resent-To": "x"}, {"Content-Transfer-Encoding": "8bit"}, {"X A": "b"}],
)  # fmt: skip
def test_a_mail_sets_no_header_that_is_ours(headers: dict[str, str]) -> None:
    with pytest.raises(MailRefused):
        written(plain_mail(headers=headers))


@pytest.mark.parametrize(
    "message_id", ["", "1@x", "<1@x", "<1 2@x>", "<1@x>\r\nBcc: a", "<1>", "<@x>", "<ü@x>"]
)
def test_a_malformed_message_id_is_refused(message_id: str) -> None:
    with pytest.raises(MailRefused):
        written(plain_mail(message_id=message_id))


def test_a_long_message_id_stays_whole() -> None:
    message_id = f"<receipt.01a1ff78-8b8d-7463-854b-f2f09a220a3f@{'x' * 60}.{'y' * 60}.example>"
    assert f"Message-ID: {message_id}\r\n".encode() in written(plain_mail(message_id=message_id))


def test_sender_and_date_are_written_plainly() -> None:
    raw = written(plain_mail())
    assert mailboxes(raw, "From") == [("Wren Inc.", "receipts@seller.example")]
    assert b"Date: Sat, 21 Nov 2026 18:52:00 +0000\r\n" in raw


def test_text_comes_before_html() -> None:
    """RFC 2046, section 5.1.4: the last part is the one to be shown."""
    message = BytesParser(policy=policy.default).parsebytes(written(plain_mail()))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.walk()][1:] == ["text/plain", "text/html"]
