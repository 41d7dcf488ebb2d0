"""Every route of the simulated API."""

import re
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import unquote

from fieldfare.simulators.stripe import (
    balances,
    charges,
    checkout,
    customers,
    disputes,
    endpoints,
    events,
    intents,
    payment_methods,
    refunds,
    search,
    setup_intents,
    transfers,
)
from fieldfare.simulators.stripe.errors import request_error
from fieldfare.simulators.stripe.shapes import Thing
from fieldfare.simulators.stripe.world import Call

Handler: TypeAlias = Callable[[Call], Thing]

# The first that fits is taken, so fixed names stand above ids.
_TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v1/balance", balances.retrieve_balance),
    ("GET", "/v1/balance_transactions", balances.list_transactions),
    ("GET", "/v1/balance_transactions/{}", balances.retrieve_transaction),
    ("GET", "/v1/customers/search", search.search_customers),
    ("POST", "/v1/customers", customers.create_customer),
    ("GET", "/v1/customers", customers.list_customers),
    ("GET", "/v1/customers/{}", customers.retrieve_customer),
    ("POST", "/v1/customers/{}", customers.update_customer),
    ("DELETE", "/v1/customers/{}", customers.delete_customer),
    ("GET", "/v1/customers/{}/payment_methods", payment_methods.list_payment_methods),
    (
        "GET",
        "/v1/customers/{}/payment_methods/{}",
        payment_methods.retrieve_customer_payment_method,
    ),
    ("POST", "/v1/payment_methods", payment_methods.create_payment_method),
    ("GET", "/v1/payment_methods", payment_methods.list_payment_methods),
    ("GET", "/v1/payment_methods/{}", payment_methods.retrieve_payment_method),
    ("POST", "/v1/payment_methods/{}", payment_methods.update_payment_method),
    ("POST", "/v1/payment_methods/{}/attach", payment_methods.attach_payment_method),
    ("POST", "/v1/payment_methods/{}/detach", payment_methods.detach_payment_method),
    ("POST", "/v1/setup_intents", setup_intents.create_setup),
    ("GET", "/v1/setup_intents", setup_intents.list_setups),
    ("GET", "/v1/setup_intents/{}", setup_intents.retrieve_setup),
    ("POST", "/v1/setup_intents/{}", setup_intents.update_setup),
    ("POST", "/v1/setup_intents/{}/confirm", setup_intents.confirm_setup),
    ("POST", "/v1/setup_intents/{}/cancel", setup_intents.cancel_setup),
    ("GET", "/v1/payment_intents/search", search.search_intents),
    ("POST", "/v1/payment_intents", intents.create_intent),
    ("GET", "/v1/payment_intents", intents.list_intents),
    ("GET", "/v1/payment_intents/{}", intents.retrieve_intent),
    ("POST", "/v1/payment_intents/{}", intents.update_intent),
    ("POST", "/v1/payment_intents/{}/confirm", intents.confirm_intent),
    ("POST", "/v1/payment_intents/{}/cancel", intents.cancel_intent),
    ("GET", "/v1/charges/search", search.search_charges),
    ("GET", "/v1/charges", charges.list_charges),
    ("GET", "/v1/charges/{}", charges.retrieve_charge),
    ("POST", "/v1/charges/{}", charges.update_charge),
    ("GET", "/v1/charges/{}/refunds", refunds.list_refunds),
    ("POST", "/v1/refunds", refunds.create_refund),
    ("GET", "/v1/refunds", refunds.list_refunds),
    ("GET", "/v1/refunds/{}", refunds.retrieve_refund),
    ("POST", "/v1/refunds/{}", refunds.update_refund),
    ("GET", "/v1/disputes", disputes.list_disputes),
    ("GET", "/v1/disputes/{}", disputes.retrieve_dispute),
    ("POST", "/v1/disputes/{}", disputes.update_dispute),
    ("POST", "/v1/disputes/{}/close", disputes.accept_dispute),
    ("POST", "/v1/transfers", transfers.create_transfer),
    ("GET", "/v1/transfers", transfers.list_transfers),
    ("GET", "/v1/transfers/{}", transfers.retrieve_transfer),
    ("POST", "/v1/transfers/{}", transfers.update_transfer),
    ("POST", "/v1/transfers/{}/reversals", transfers.reverse_transfer),
    ("POST", "/v1/accounts", transfers.create_account),
    ("GET", "/v1/accounts", transfers.list_accounts),
    ("GET", "/v1/accounts/{}", transfers.retrieve_account),
    ("POST", "/v1/accounts/{}", transfers.update_account),
    ("GET", "/v1/events", events.list_events),
    ("GET", "/v1/events/{}", events.retrieve_event),
    ("POST", "/v1/webhook_endpoints", endpoints.create_endpoint),
    ("GET", "/v1/webhook_endpoints", endpoints.list_endpoints),
    ("GET", "/v1/webhook_endpoints/{}", endpoints.retrieve_endpoint),
    ("POST", "/v1/webhook_endpoints/{}", endpoints.update_endpoint),
    ("DELETE", "/v1/webhook_endpoints/{}", endpoints.delete_endpoint),
    ("POST", "/v1/checkout/sessions", checkout.create_session),
    ("GET", "/v1/checkout/sessions", checkout.list_sessions),
    ("GET", "/v1/checkout/sessions/{}", checkout.retrieve_session),
    ("POST", "/v1/checkout/sessions/{}/expire", checkout.expire_session),
)
_ROUTES = tuple(
    (method, re.compile(path.replace("{}", "([^/]+)")), handler) for method, path, handler in _TABLE
)


def find_route(method: str, path: str) -> tuple[Handler, tuple[str, ...]]:
    """The handler of a request and the ids in its path; raises `ApiError` (404)."""
    for known, pattern, handler in _ROUTES:
        if known == method and (found := pattern.fullmatch(path)):
            return handler, tuple(unquote(part) for part in found.groups())
    raise request_error(
        404,
        f"Unrecognized request URL ({method}: {path[:200]}). Please see "
        "https://stripe.com/docs or we can help at https://support.stripe.com/.",
    )
