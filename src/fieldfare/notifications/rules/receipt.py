"""A receipt as the strings that stand in it, in the reader's language.

What must hold: text and HTML are made from one view, so they say the same.
"""

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import msgspec

from fieldfare.kernel import formats
from fieldfare.kernel.numbers import largest_remainder
from fieldfare.kernel.text import shown_in_line
from fieldfare.notifications.model import Receipt, ReceiptLine, ReceiptTax
from fieldfare.notifications.rules.frame import (
    NAME_CHARACTERS,
    FrameView,
    RowView,
    greeting,
    mail_message_id,
    one_line,
)
from fieldfare.notifications.rules.words import WORDS, Words

ADDRESS_CHARACTERS = 300

_MICRO = 1_000_000


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """One project."""

    name: str
    impact: str
    share: str
    """Its part of the money, in words: `38%`."""
    bar: int
    """The same, 0 to 100, as a width."""
    amount: str


class ReceiptView(FrameView, frozen=True, kw_only=True):
    """Everything that a receipt shows, ready to be placed."""

    thanks: str
    charged: RowView
    projects: str
    lines: list[LineView]
    sums: list[RowView]
    """What leads to the amount that was charged, and what that includes."""
    button: str
    certificate_url: str


def receipt_message_id(purchase_id: UUID, host: str) -> str:
    """The Message-ID of a purchase's receipt: see `mail_message_id`."""
    return mail_message_id("receipt", purchase_id, host)


def view_receipt(receipt: Receipt) -> ReceiptView:
    """What the mail about a paid order shows."""
    assert receipt.certificate_url.startswith(("https://", "http://")), "no link to be clicked"
    language = receipt.language
    words = WORDS[language]
    seller = one_line(receipt.seller_name, NAME_CHARACTERS)
    headline = _headline(receipt, words)
    title = f"{words.receipt} {receipt.receipt_number}"
    return ReceiptView(
        language=language,
        to_name=shown_in_line(receipt.purchaser_name, NAME_CHARACTERS),
        subject=f"{title} · {headline}".replace(formats.NBSP, " "),
        title=title,
        colon=words.colon,
        seller=seller,
        greeting=greeting(receipt.purchaser_name, words),
        thanks=words.thanks,
        headline=headline,
        charged=RowView(
            label=words.charged,
            value=formats.charge(receipt.charge_minor, receipt.currency, language),
        ),
        projects=words.projects,
        lines=_lines(receipt),
        sums=list(_sums(receipt, words)),
        facts=list(_facts(receipt, words)),
        button=words.button,
        certificate_url=receipt.certificate_url,
        footer=words.footer.format(seller=seller),
    )


def _headline(receipt: Receipt, words: Words) -> str:
    language = receipt.language
    parts = []
    if receipt.tons:
        parts.append(formats.tonnes(receipt.tons, language))
    if receipt.trees:
        parts.append(formats.trees(receipt.trees, language))
    amount = formats.usd(Decimal(receipt.amount_cents), language)
    return " + ".join(parts) or words.donation_headline.format(amount=amount)


def _lines(receipt: Receipt) -> list[LineView]:
    weights = tuple(int(line.billed_cents * _MICRO) for line in receipt.lines)
    shares = largest_remainder(100, weights) if any(weights) else (0,) * len(weights)
    return [_line(line, share, receipt) for line, share in zip(receipt.lines, shares, strict=True)]


def _line(line: ReceiptLine, share: int, receipt: Receipt) -> LineView:
    language = receipt.language
    if line.tons is not None:
        impact = formats.tonnes(line.tons, language)
    elif line.trees is not None:
        impact = formats.trees(line.trees, language)
    else:
        impact = WORDS[language].kinds[line.kind]
    return LineView(
        name=one_line(line.project_name, NAME_CHARACTERS),
        impact=impact,
        share=formats.whole_percent(share, language),
        bar=share,
        amount=formats.usd(line.billed_cents, language),
    )


def _sums(receipt: Receipt, words: Words) -> Iterator[RowView]:
    language = receipt.language
    if receipt.currency.code != formats.USD:
        price = formats.usd(Decimal(receipt.amount_cents), language)
        yield RowView(label=words.price, value=price)
        yield from _rate(receipt, words)
    if receipt.tax is not None:
        yield from _tax(receipt, receipt.tax, words)


def _rate(receipt: Receipt, words: Words) -> Iterator[RowView]:
    if receipt.rate is None:
        return
    value = formats.rate_per_dollar(receipt.rate, receipt.currency, receipt.language)
    if receipt.rate_on is not None:
        value = words.rate_day.format(
            rate=value, day=formats.day(receipt.rate_on, receipt.language)
        )
    yield RowView(label=words.exchange_rate, value=value)


def _tax(receipt: Receipt, tax: ReceiptTax, words: Words) -> Iterator[RowView]:
    language = receipt.language
    net_minor = receipt.charge_minor - tax.amount_minor
    label = words.included_tax.format(
        label=one_line(tax.label, NAME_CHARACTERS), rate=formats.percent(tax.rate_ppm, language)
    )
    yield RowView(label=words.net, value=formats.charge(net_minor, receipt.currency, language))
    yield RowView(label=label, value=formats.charge(tax.amount_minor, receipt.currency, language))


def _facts(receipt: Receipt, words: Words) -> Iterator[RowView]:
    yield RowView(label=words.receipt_number, value=str(receipt.receipt_number))
    yield RowView(label=words.order, value=one_line(receipt.order_group_id, NAME_CHARACTERS))
    yield RowView(label=words.paid_on, value=formats.instant(receipt.paid_at, receipt.language))
    yield RowView(label=words.paid_with, value=words.methods[receipt.payment_method])
    tax = receipt.tax
    if tax is not None:
        yield _party(words.seller, receipt.seller_name, tax.seller_id, tax.seller_address, words)
        yield _party(words.buyer, receipt.purchaser_name, tax.buyer_id, tax.buyer_address, words)


def _party(label: str, name: str, tax_id: str | None, address: str | None, words: Words) -> RowView:
    parts = [
        one_line(name, NAME_CHARACTERS),
        one_line(", ".join((address or "").splitlines()), ADDRESS_CHARACTERS),
        words.tax_id.format(id=one_line(tax_id, NAME_CHARACTERS)) if tax_id else "",
    ]
    return RowView(label=label, value=", ".join(filter(None, parts)))
