"""The desk that an order is handed to: the books, or the sandbox.

Decoding, choosing the portfolio, pricing and splitting are shared; only what differs between a live
and a test token is behind `OrderDesk`. So both give the same 400s.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import msgspec

from fieldfare.catalog.service import CatalogDesk, LiveCatalogDesk
from fieldfare.db.ids import new_id, new_secret_id
from fieldfare.db.pool import connection
from fieldfare.http.idempotency import RequestKey, StoredAnswer
from fieldfare.http.principal import Principal
from fieldfare.ledger.service.credits import CreditDesk, LiveCreditDesk
from fieldfare.orders.model import Order, OrderRefund, Party, Purchase, Quote
from fieldfare.orders.service.card import place_card_order
from fieldfare.orders.service.credit import place_credit_order
from fieldfare.orders.service.find import get_purchase, list_refunds
from fieldfare.orders.service.group_commit import GroupCommit
from fieldfare.orders.service.settle import ORDERS
from fieldfare.payments.service.charging import find_first_answer
from fieldfare.payments.service.desk import LivePaymentDesk, PaymentDesk


class OrderNames(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is called on the wire."""

    group_id: str | None
    """None for a dry run."""
    purchase_id: str | None
    certificate_url: str | None


class OrderDesk(CatalogDesk, CreditDesk, PaymentDesk, Protocol):
    """Where orders are placed and found."""

    def draw(self, principal: Principal, quote: Quote, party: Party, *, receipt: bool) -> Order:
        """The order under the ids that it is to have."""
        ...

    def names(self, order: Order) -> OrderNames:
        """What it is called on the wire."""
        ...

    async def place(
        self, principal: Principal, order: Order, answer: bytes, key: RequestKey | None
    ) -> bytes | StoredAnswer:
        """Carry it out; `answer` is what is to be said, with 0 where credits remain.

        Gives the answer with what does remain, or what was answered to the same request before.
        """
        ...

    async def find_answer(self, key: RequestKey) -> StoredAnswer | None:
        """What was answered to this request before."""
        ...

    async def purchase(self, principal: Principal, purchase_id: str) -> Purchase:
        """An order of this account, by its own id or its group id."""
        ...

    async def refunds(self, purchase: Purchase) -> list[OrderRefund]:
        """What of an order went back, or is on its way, oldest first."""
        ...

    def purchase_names(self, purchase: Purchase) -> OrderNames:
        """What a recorded order is called on the wire."""
        ...


@dataclass(frozen=True)
class LiveOrderDesk(LiveCatalogDesk, LiveCreditDesk, LivePaymentDesk):
    """The desk that acts on the books, and charges cards."""

    commits: GroupCommit

    def draw(self, principal: Principal, quote: Quote, party: Party, *, receipt: bool) -> Order:
        """See `OrderDesk`."""
        return Order(
            id=new_id(),
            certificate_slug=new_secret_id(),
            account_id=principal.account_id,
            source="public-api",
            send_receipt=receipt,
            refill_below_cents=principal.refill_below_cents,
            quote=quote,
            party=party,
        )

    def names(self, order: Order) -> OrderNames:
        """See `OrderDesk`."""
        return OrderNames(
            # A card order is called by its charge, which is not known before it is paid.
            group_id=str(order.id) if order.quote.payment_method == "credits" else "",
            purchase_id=str(order.id),
            certificate_url=certificate_url(self.public_url, order.certificate_slug),
        )

    async def place(
        self, principal: Principal, order: Order, answer: bytes, key: RequestKey | None
    ) -> bytes | StoredAnswer:
        """See `OrderDesk`."""
        if order.quote.payment_method == "credits":
            return await place_credit_order(self.commits, order, answer, key)
        return await place_card_order(self.db, self.gateway, order, answer, key)

    async def find_answer(self, key: RequestKey) -> StoredAnswer | None:
        """See `OrderDesk`."""
        return await find_first_answer(self.db, self.gateway, ORDERS, key)

    async def purchase(self, principal: Principal, purchase_id: str) -> Purchase:
        """See `OrderDesk`."""
        async with connection(self.db) as conn:
            return await get_purchase(conn, principal.account_id, purchase_id)

    async def refunds(self, purchase: Purchase) -> list[OrderRefund]:
        """See `OrderDesk`."""
        async with connection(self.db) as conn:
            return await list_refunds(conn, purchase.id)

    def purchase_names(self, purchase: Purchase) -> OrderNames:
        """See `OrderDesk`."""
        return OrderNames(
            group_id=purchase.group_id,
            purchase_id=str(purchase.id),
            certificate_url=certificate_url(self.public_url, purchase.certificate_slug),
        )


def certificate_url(public_url: str, slug: UUID) -> str:
    """Where anybody who has the address sees the certificate."""
    return f"{certificates_at(public_url)}{slug.hex}"


def certificates_at(public_url: str) -> str:
    """How the address of every certificate begins."""
    return f"{public_url}/certificates/"
