"""The receipt of a paid order, once, to the account's billing address.

Never to the person on whose behalf it was placed, and never for an order that was not paid.
"""

from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from fieldfare.accounts.errors import AccountNotFound
from fieldfare.accounts.model import Account
from fieldfare.accounts.service import get_account
from fieldfare.catalog.model import Catalogue
from fieldfare.catalog.service import load_catalogue
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.integrations.mail import MailServer
from fieldfare.kernel.currency import get_currency
from fieldfare.kernel.languages import Language
from fieldfare.kernel.mass import tonnes_from_mg
from fieldfare.kernel.money import cents_from_micro
from fieldfare.notifications.model import Receipt, ReceiptLine, ReceiptTax
from fieldfare.notifications.rules.receipt import receipt_message_id
from fieldfare.notifications.service.rendering import render_receipt
from fieldfare.notifications.service.sending import send_once
from fieldfare.orders import store
from fieldfare.orders.model import BilledLine, ReceiptFacts
from fieldfare.orders.service.desk import certificate_url
from fieldfare.payments.rules import IN_DOLLARS

UNPAID = ("pending", "failed")
TAX_LABEL = "VAT"


async def send_receipt(
    db: Database, server: MailServer, purchase_id: UUID, *, public_url: str, seller_name: str
) -> str:
    """Send the receipt of a purchase unless it was sent; gives what was done.

    Raises what `notifications.service.sending.send_once` raises.
    """
    async with connection(db) as conn:
        facts = await store.find_receipt_facts(conn, purchase_id)
        if facts is None or facts.state in UNPAID or facts.paid_at is None:
            return "there is nothing to receipt"
        lines = await store.list_receipt_lines(conn, purchase_id)
        try:
            account = await get_account(conn, facts.account_id)
        except AccountNotFound:
            return "the account was erased"
    if account.billing_email is None:
        return "the account has no billing address"
    async with transaction(db) as conn:
        number = await store.number_receipt(conn, purchase_id)
    receipt = _receipt(
        facts,
        lines,
        account,
        await load_catalogue(db, datetime.now(UTC)),
        number=number,
        to=account.billing_email,
        public_url=public_url,
        seller_name=seller_name,
    )
    sent = await send_once(db, server, render_receipt(receipt), "receipt", purchase_id)
    return "sent" if sent else "sent before"


def _receipt(
    facts: ReceiptFacts,
    lines: list[BilledLine],
    account: Account,
    catalogue: Catalogue,
    *,
    number: int,
    to: str,
    public_url: str,
    seller_name: str,
) -> Receipt:
    assert facts.paid_at is not None, "a paid order says when"
    in_dollars = facts.currency == IN_DOLLARS.currency.code
    return Receipt(
        message_id=receipt_message_id(facts.id, urlsplit(public_url).hostname or "localhost"),
        to=to,
        language=msgspec.convert(account.language, Language),
        purchaser_name=account.name,
        receipt_number=number,
        order_group_id=facts.group_id,
        paid_at=facts.paid_at,
        lines=tuple(_line(line, catalogue) for line in lines),
        tons=tonnes_from_mg(facts.mass_mg) if facts.mass_mg else None,
        trees=facts.trees or None,
        amount_cents=facts.amount_cents,
        charge_minor=facts.charge_minor,
        currency=get_currency(facts.currency),
        rate=None if in_dollars else facts.rate,
        rate_on=None if in_dollars else facts.rate_on,
        tax=_tax(facts),
        payment_method=facts.payment_method,
        certificate_url=certificate_url(public_url, facts.certificate_slug),
        seller_name=seller_name,
    )


def _line(line: BilledLine, catalogue: Catalogue) -> ReceiptLine:
    project = catalogue.projects.get(line.project_id)
    return ReceiptLine(
        project_name=project.name if project else f"Project {line.project_id}",
        kind=line.kind,
        tons=tonnes_from_mg(line.mass_mg) if line.kind == "offset" else None,
        trees=line.trees if line.kind == "tree" else None,
        billed_cents=cents_from_micro(line.billed_micro),
    )


def _tax(facts: ReceiptFacts) -> ReceiptTax | None:
    if facts.tax_minor == 0:
        return None
    return ReceiptTax(
        label=TAX_LABEL,
        rate_ppm=facts.tax_rate_ppm,
        amount_minor=facts.tax_minor,
        seller_id=facts.seller_tax_id,
        seller_address=facts.seller_address,
        buyer_id=facts.buyer_tax_id,
        buyer_address=facts.buyer_address,
    )
