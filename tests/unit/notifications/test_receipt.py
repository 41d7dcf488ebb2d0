"""What a receipt says, in its text and its HTML: the same facts, in the reader's language."""

import html
import re
from decimal import Decimal
from uuid import uuid4

import msgspec
import pytest

from fieldfare.integrations.mail import Mail
from fieldfare.kernel.currency import get_currency
from fieldfare.kernel.languages import Language
from fieldfare.notifications.model import Receipt, ReceiptLine
from fieldfare.notifications.rules import receipt_message_id, view_receipt
from fieldfare.notifications.rules.frame import NAME_CHARACTERS, one_line
from fieldfare.notifications.rules.words import WORDS
from fieldfare.notifications.service.rendering import render_receipt
from tests.unit.notifications.receipts import PURCHASE_ID, TAX, USD_CREDITS, a_receipt

LANGUAGES: list[Language] = ["en", "de", "fr", "es"]


def seen_in_html(mail: Mail) -> str:
    """What a reader of the HTML sees, as one line."""
    body = re.sub(r"<(style|title)\b.*?</\1>", " ", mail.html, flags=re.DOTALL)
    return shown(html.unescape(re.sub(r"<[^>]+>", " ", body)))


def shown(text: str) -> str:
    """Any run of blanks as one."""
    return " ".join(text.split())


def assert_says(receipt: Receipt, *facts: str) -> None:
    """Both forms of the mail say all of it."""
    mail = render_receipt(receipt)
    for fact in facts:
        assert fact in shown(mail.text), fact
        assert fact in seen_in_html(mail), fact


FACTS: dict[Language, list[str]] = {
    "en": ["Receipt 1042", "Hello Ada Buyer,", "1.3 t CO₂e", "1.25 t CO₂e", "0.05 t CO₂e",
           "$12.50", "$11.48", "$23.98", "1 USD = 0.9057 EUR, 20 November 2026", "€21.72",
           "21 November 2026, 18:52 UTC", "Card", "View your certificate"],
    "de": ["Beleg 1042", "Guten Tag Ada Buyer,", "1,3 t CO₂e", "1,25 t CO₂e", "0,05 t CO₂e",
           "12,50 USD", "11,48 USD", "23,98 USD", "1 USD = 0,9057 EUR, 20. November 2026",
           "21,72 €", "21. November 2026, 18:52 UTC", "Karte", "Zertifikat ansehen"],
    "fr": ["Reçu 1042", "Bonjour Ada Buyer,", "1,3 t CO₂e", "12,50 USD", "Total payé : 21,72 €",
           "1 USD = 0,9057 EUR, 20 novembre 2026", "21 novembre 2026, 18:52 UTC", "Carte",
           "Voir votre certificat"],
    "es": ["Recibo 1042", "Hola, Ada Buyer:", "1,3 t CO₂e", "12,50 USD", "21,72 €",
           "1 USD = 0,9057 EUR, 20 de noviembre de 2026", "21 de noviembre de 2026, 18:52 UTC",
           "Tarjeta", "Ver su certificado"],
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_forms_say_the_same_in_each_language(language: Language) -> None:
    receipt = a_receipt(language=language)
    assert_says(receipt, *FACTS[language], *(line.project_name for line in receipt.lines))
    mail = render_receipt(receipt)
    assert receipt.certificate_url in mail.text
    assert f'href="{receipt.certificate_url}"' in mail.html
    assert f'<html lang="{language}">' in mail.html
    assert mail.headers == {"Content-Language": language}
    assert (mail.to, mail.to_name) == ("ada@buyer.example", "Ada Buyer")


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        ("en", "Receipt 1042 · 1.3 t CO₂e"),
        ("de", "Beleg 1042 · 1,3 t CO₂e"),
        ("fr", "Reçu 1042 · 1,3 t CO₂e"),
        ("es", "Recibo 1042 · 1,3 t CO₂e"),
    ],
)
def test_the_subject_tells_what_it_is(language: Language, subject: str) -> None:
    assert render_receipt(a_receipt(language=language)).subject == subject


def test_the_same_receipt_is_the_same_mail() -> None:
    assert render_receipt(a_receipt()) == render_receipt(a_receipt())


def test_credits_in_dollars_need_no_rate() -> None:
    receipt = a_receipt(**USD_CREDITS)
    assert_says(receipt, "Total paid: $23.98", "Prepaid credits", str(PURCHASE_ID))
    text = render_receipt(receipt).text
    assert "Exchange rate" not in text
    assert "Price" not in text


@pytest.mark.parametrize(
    ("code", "charge_minor", "rate", "written"),
    [
        ("JPY", 3758, "156.7", "Total paid: ¥3,758"),
        ("KWD", 7370, "0.3071", "Total paid: KWD 7.370"),
        ("ISK", 331_000, "137.94", "Total paid: ISK 3,310"),
        ("EUR", 2172, "0.9057", "Total paid: €21.72"),
    ],
)
def test_a_charge_in_its_own_currency(
    code: str, charge_minor: int, rate: str, written: str
) -> None:
    receipt = a_receipt(currency=get_currency(code), charge_minor=charge_minor, rate=Decimal(rate))
    assert_says(receipt, "Price", "$23.98", f"1 USD = {rate} {code}, 20 November 2026", written)


def test_a_rate_without_a_day_and_none_at_all() -> None:
    assert "0.9057" in render_receipt(a_receipt(rate_on=None)).text
    assert "Exchange rate" not in render_receipt(a_receipt(rate=None)).text


def test_tax_names_both_parties() -> None:
    receipt = a_receipt(language="de", tax=TAX)
    assert_says(
        receipt,
        "Netto",
        "18,25 €",
        "Enthaltene USt., 19 %",
        "3,47 €",
        "Fieldfare Demo, Ackerweg 1, 10115 Berlin, Steuernummer DE123456789",
        "Ada Buyer, 2 rue des Lilas, 75001 Paris, Steuernummer FR32123456789",
    )
    nameless = msgspec.structs.replace(TAX, buyer_id=None, buyer_address=None)
    text = render_receipt(a_receipt(tax=nameless)).text
    assert "\nBuyer: Ada Buyer\n" in text
    assert "Net" not in render_receipt(a_receipt()).text


def test_trees_and_donations() -> None:
    trees = ReceiptLine(
        project_name="WeForest", kind="tree", trees=1200, billed_cents=Decimal(2398)
    )
    receipt = a_receipt(lines=(trees,), tons=None, trees=1200, **USD_CREDITS)
    assert_says(receipt, "1,200 trees", "WeForest", "100%")
    assert render_receipt(receipt).subject == "Receipt 1042 · 1,200 trees"
    gift = ReceiptLine(project_name="Policy", kind="donation", billed_cents=Decimal(2398))
    receipt = a_receipt(lines=(gift,), tons=None, trees=None, **USD_CREDITS)
    assert_says(receipt, "$23.98 for climate projects", "Donation")


def test_an_order_without_lines_has_no_empty_table() -> None:
    mail = render_receipt(a_receipt(lines=()))
    assert "Where it goes" not in mail.text + mail.html


def test_a_cent_over_many_projects_stays_exact() -> None:
    parts = [Decimal("0.33"), Decimal("0.33"), Decimal("0.33"), Decimal("0.01"), Decimal(0)]
    lines = tuple(
        ReceiptLine(
            project_name=f"Project {number}",
            kind="offset",
            tons=Decimal("0.000000001"),
            billed_cents=cents,
        )
        for number, cents in enumerate(parts)
    )
    receipt = a_receipt(lines=lines, amount_cents=1, tons=Decimal("0.000000005"), **{
        **USD_CREDITS, "charge_minor": 1
    })  # fmt: skip
    assert_says(receipt, "$0.01", "$0.0033", "$0.0001", "0.000000005 t CO₂e", "0.000000001 t CO₂e")
    view = view_receipt(receipt)
    assert sum(line.bar for line in view.lines) == 100
    assert [line.share for line in view.lines] == ["33%", "33%", "33%", "1%", "<1%"]


def test_nothing_free_is_divided() -> None:
    free = tuple(
        msgspec.structs.replace(line, billed_cents=Decimal(0)) for line in a_receipt().lines
    )
    assert [line.bar for line in view_receipt(a_receipt(lines=free)).lines] == [0, 0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_figure_shows_a_floats_rounding_or_an_exponent(language: Language) -> None:
    lines = tuple(
        ReceiptLine(
            project_name="P", kind="offset", tons=Decimal("0.1") + Decimal("0.2"),
            billed_cents=Decimal("0.1") + Decimal("0.7"),
        )
        for _ in range(3)
    )  # fmt: skip
    mail = render_receipt(a_receipt(lines=lines, tons=Decimal("1E-9"), language=language))
    for text in (mail.text, seen_in_html(mail)):
        assert not re.search(r"\d[eE][-+]?\d", text.replace("ch_3QxT2e8841", ""))
        assert "0000000004" not in text
        assert "99999" not in text


EVIL = "<img src=x onerror=alert(1)>\"'&<!--"


def test_markup_in_any_name_is_only_text() -> None:
    line = msgspec.structs.replace(a_receipt().lines[0], project_name=EVIL)
    tax = msgspec.structs.replace(TAX, buyer_id=EVIL, seller_address=EVIL, label=EVIL)
    receipt = a_receipt(
        purchaser_name=EVIL, seller_name=EVIL, lines=(line,), order_group_id=EVIL, tax=tax,
        certificate_url='https://seller.example/"onmouseover="alert(1)',
    )  # fmt: skip
    mail = render_receipt(receipt)
    assert "<img" not in mail.html
    assert "<!--" not in mail.html
    assert '"onmouseover=' not in mail.html
    assert mail.html.count("&lt;img src=x onerror=alert(1)&gt;") >= 6
    assert EVIL in mail.text


def test_template_code_in_a_name_is_only_text() -> None:
    mail = render_receipt(a_receipt(purchaser_name="{{ 7 * 7 }} {name} {% raw %} %s"))
    assert "{{ 7 * 7 }} {name} {% raw %} %s" in mail.text
    assert "{{ 7 * 7 }} {name} {% raw %} %s" in mail.html


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Ada\r\nBcc: x@y.example", "Ada Bcc: x@y.example"),
        ("Ada\x00\x1b[31m\u2028Total paid: 0", "Ada [31m Total paid: 0"),
        ("  Ada \t Buyer ", "Ada Buyer"),
        ("Zoe\u0308", "Zoë"),
        ("user\u202egpj.exe", "usergpj.exe"),
        ("🌳 Ada 👩‍🌾", "🌳 Ada 👩‍🌾"),
        ("שלום", "\u2068שלום\u2069"),
        ("x" * 300, "x" * (NAME_CHARACTERS - 1) + "…"),
        ("\ud800", ""),
        ("", ""),
    ],
)
def test_a_name_stays_in_its_line(name: str, line: str) -> None:
    assert one_line(name, NAME_CHARACTERS) == line


def test_a_name_cannot_forge_a_line_of_the_text() -> None:
    name = "Ada\n\nTotal paid: $0.00\n"
    mail = render_receipt(a_receipt(purchaser_name=name, seller_name=name))
    assert "\nTotal paid: $0.00" not in mail.text
    assert mail.to_name == "Ada Total paid: $0.00"


@pytest.mark.parametrize("name", ["Win at http://evil.example/x", "www.evil.example", "evil.co/x"])
def test_a_link_for_a_name_is_not_greeted(name: str) -> None:
    mail = render_receipt(a_receipt(purchaser_name=name))
    assert "evil" not in mail.text
    assert "evil" not in mail.html
    assert "\nHello,\n" in mail.text


def test_a_certificate_is_linked_by_http_alone() -> None:
    with pytest.raises(AssertionError):
        render_receipt(a_receipt(certificate_url="javascript:alert(1)"))


def test_a_message_id_is_stable_and_well_formed() -> None:
    purchase_id = uuid4()
    first = receipt_message_id(purchase_id, "seller.example")
    assert first == receipt_message_id(purchase_id, "seller.example")
    assert first == f"<receipt.{purchase_id}@seller.example>"
    for host in ("::1", "bücher.example", "", "-", "a b>\r\nBcc: x"):
        assert re.fullmatch(r"<receipt\.[0-9a-f-]{36}@[A-Za-z0-9.-]+>",
                            receipt_message_id(purchase_id, host))  # fmt: skip


def test_the_html_needs_nothing_from_anywhere() -> None:
    mail = render_receipt(a_receipt())
    assert re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"')\s>]+)", mail.html) == [
        a_receipt().certificate_url
    ]
    assert "<script" not in mail.html
    assert "max-width:600px" in mail.html
    assert len(mail.html.encode()) < 102_000, "Gmail cuts longer mails off"


def test_no_line_of_the_text_is_long_and_none_ends_in_blanks() -> None:
    for language in LANGUAGES:
        lines = render_receipt(a_receipt(language=language, tax=TAX)).text.splitlines()
        assert [line for line in lines if len(line) > 100] == []
        assert [line for line in lines if line != line.rstrip() and line != "-- "] == []


@pytest.mark.parametrize("language", ["de", "fr", "es"])
def test_every_language_has_its_own_words(language: Language) -> None:
    assert WORDS[language].thanks != WORDS["en"].thanks
    assert WORDS[language].button != WORDS["en"].button
