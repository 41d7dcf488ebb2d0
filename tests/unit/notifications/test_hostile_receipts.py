"""A receipt shows hostile names as they are: nothing in it acts, and no header is theirs."""

from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser

import msgspec
import pytest

from fieldfare.integrations.mail.address import parse_sender
from fieldfare.integrations.mail.message import write_mail
from fieldfare.notifications.rules.frame import NAME_CHARACTERS, one_line
from fieldfare.notifications.service.rendering import render_receipt
from tests.support import hostile
from tests.unit.notifications.receipts import a_receipt

SENDER = parse_sender("Seller <receipts@seller.example>")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
TEXTS = (*hostile.IN_LINE, *hostile.IN_LINES, *hostile.REFUSED_IN_LINE)


def sent(name: str) -> tuple[list[str], str, str, str]:
    """The headers, the recipient and both parts of a receipt in which everybody has this name."""
    line = msgspec.structs.replace(a_receipt().lines[0], project_name=name)
    mail = render_receipt(a_receipt(purchaser_name=name, seller_name=name, lines=(line,)))
    written = write_mail(mail, SENDER, NOW)
    read = BytesParser(policy=policy.default).parsebytes(written.content)
    text, html = (read.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    to = [str(address.addr_spec) for address in read["To"].addresses]
    return [*read.keys(), *to], read["Subject"], text.get_content(), html.get_content()


PLAIN = sent("Ada")


@pytest.mark.parametrize("name", TEXTS, ids=ascii)
def test_a_hostile_name_is_only_a_name(name: str) -> None:
    headers, subject, text, html = sent(name)
    shown = one_line(name, NAME_CHARACTERS)
    assert headers == PLAIN[0]
    assert subject.isprintable()
    assert hostile.acting(html) == []
    assert shown in hostile.words_of(html)
    assert shown in text
    for part in (subject, text, html):
        assert hostile.RESULT not in part
