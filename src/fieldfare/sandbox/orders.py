"""Orders in test mode: priced like any other, and recorded nowhere."""

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from uuid import UUID

from fieldfare.catalog.model import Catalogue
from fieldfare.db.ids import new_id
from fieldfare.http.idempotency import RequestKey, StoredAnswer
from fieldfare.http.principal import Principal
from fieldfare.integrations.stripe.pace import Leaving
from fieldfare.ledger.errors import InsufficientCredits
from fieldfare.orders.errors import OrderNotFound
from fieldfare.orders.model import (
    Order,
    OrderKind,
    OrderRefund,
    Party,
    Purchase,
    Quote,
)
from fieldfare.orders.rules import answer_parts
from fieldfare.orders.service.desk import OrderNames
from fieldfare.payments.model import Exchange
from fieldfare.payments.rules import IN_DOLLARS
from fieldfare.sandbox.samples import (
    NOBODYS_ACCOUNT,
    TEST_ID,
    TOP_UP_CENTS,
    instant_of_sample,
    sample_called,
)

PREFIXES: dict[OrderKind, str] = {"offset": "test_oo_", "tree": "test_to_", "project": "test_po_"}
_KINDS: dict[str, OrderKind] = {"oo": "offset", "to": "tree", "po": "project"}


@dataclass(frozen=True)
class SandboxOrderDesk:
    """Answers as the live desk would, and buys nothing."""

    preset: Catalogue
    public_url: str

    async def catalogue(self) -> Catalogue:
        """The preset, whatever the live catalogue says."""
        return self.preset

    async def exchange(self, principal: Principal) -> Exchange:
        """US dollars, whatever the account's currency is."""
        return IN_DOLLARS

    def turn(
        self, principal: Principal, leaving: Leaving, *, by_card_only: bool = False
    ) -> AbstractAsyncContextManager[None]:
        """At once: no processor is asked."""
        return nullcontext()

    def draw(self, principal: Principal, quote: Quote, party: Party, *, receipt: bool) -> Order:
        """An order that is recorded nowhere."""
        order_id = new_id()
        return Order(
            id=order_id,
            certificate_slug=order_id,
            account_id=principal.account_id,
            source="public-api",
            send_receipt=receipt,
            quote=quote,
            party=party,
        )

    def names(self, order: Order) -> OrderNames:
        """Ids that say at a glance that nothing was bought."""
        return self._names(order.quote.kind, order.id)

    async def place(
        self, principal: Principal, order: Order, answer: bytes, key: RequestKey | None
    ) -> bytes | StoredAnswer:
        """The answer, with what would remain of the balance."""
        if order.quote.payment_method == "stripe":
            return answer
        remaining = TOP_UP_CENTS - order.quote.amount_cents
        if remaining < 0:
            raise InsufficientCredits(
                needed_cents=order.quote.amount_cents, balance_cents=TOP_UP_CENTS
            )
        return answer_parts(answer).with_balance(remaining)

    async def find_answer(self, key: RequestKey) -> StoredAnswer | None:
        """Nothing is kept, so nothing is found."""
        return None

    async def purchase(self, principal: Principal, purchase_id: str) -> Purchase:
        """A paid sample order under any id of test mode's form."""
        match = TEST_ID.fullmatch(purchase_id)
        if match is None:
            raise OrderNotFound(
                "Test mode knows only orders whose id starts with test_oo_, test_to_ or test_po_, "
                "as its answers give them."
            )
        sample = sample_called(purchase_id, self.preset)
        identifier = UUID(match.group(2))
        at = instant_of_sample(identifier)
        return Purchase(
            id=identifier,
            account_id=NOBODYS_ACCOUNT,
            kind=_KINDS[match.group(1)],
            state="paid",
            payment_method="credits",
            portfolio_id=sample.portfolio_id,
            project_id=None if sample.portfolio_id else sample.shares[0].project.id,
            mass_mg=sum(share.mass_mg for share in sample.shares),
            trees=sum(share.trees for share in sample.shares),
            amount_cents=sample.amount_cents,
            charge_minor=sample.amount_cents,
            currency="USD",
            charge_id=purchase_id,
            certificate_slug=identifier,
            created_at=at,
            paid_at=at,
            refunded_at=None,
        )

    async def refunds(self, purchase: Purchase) -> list[OrderRefund]:
        """Nobody refunds what nobody bought."""
        return []

    def purchase_names(self, purchase: Purchase) -> OrderNames:
        """See `names`."""
        return self._names(purchase.kind, purchase.id)

    def _names(self, kind: OrderKind, identifier: UUID) -> OrderNames:
        name = f"{PREFIXES[kind]}{identifier.hex}"
        return OrderNames(
            group_id=name,
            purchase_id=name,
            certificate_url=f"{self.public_url}/certificates/{name}",
        )
