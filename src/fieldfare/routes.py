"""Every route of the product, flat. `fieldfare routes` prints them with file and line."""

from fieldfare.catalog import api as catalog
from fieldfare.http import health
from fieldfare.http.edge import Route
from fieldfare.impact import api as impact
from fieldfare.kernel import limits
from fieldfare.ledger import api as ledger
from fieldfare.orders import api as orders
from fieldfare.payments import api as payments
from fieldfare.web import certificates as web
from fieldfare.web import reference

ROUTES = (
    Route("GET", "/healthz", health.healthz, needs="nothing", is_counted=False),
    Route("GET", "/readyz", health.readyz, needs="nothing", is_counted=False),
    Route(
        "GET",
        "/api/portfolios",
        catalog.list_portfolios,
        needs="nothing",
        any_origin=True,
        find_ready=catalog.find_ready_portfolios,
    ),
    Route("POST", "/api/offset-orders", orders.place_offset_order, is_order=True),
    Route("GET", "/api/offset-orders", impact.list_offset_orders),
    Route(
        "GET",
        "/api/offset-orders/public",
        impact.list_public_offset_orders,
        needs="nothing",
        any_origin=True,
        find_ready=impact.find_ready_feed,
    ),
    Route(
        "GET",
        "/api/offset-orders/certificate/by-group/{group_id:str}",
        impact.get_certificate,
    ),
    Route(
        "GET",
        "/api/certificates/{slug:str}/verify",
        impact.verify_at_address,
        needs="nothing",
        any_origin=True,
    ),
    Route(
        "GET",
        "/api/certificates/by-number/{number:str}",
        impact.get_state_of_number,
        needs="nothing",
        any_origin=True,
    ),
    Route(
        "POST",
        "/api/certificates/verify",
        impact.verify_document,
        needs="nothing",
        max_body_bytes=limits.CERTIFICATE_BYTES,
    ),
    Route(
        "GET",
        "/.well-known/fieldfare-certificate-keys.json",
        impact.list_certificate_keys,
        needs="nothing",
        any_origin=True,
    ),
    Route("GET", "/certificates/{slug:str}", web.show_certificate, needs="nothing"),
    Route("GET", "/certificates/{slug:str}/verify", web.show_certificate, needs="nothing"),
    Route("GET", "/certificates/{slug:str}/certificate.pdf", web.get_pdf, needs="nothing"),
    Route("GET", "/certificates/{slug:str}/certificate.png", web.get_image, needs="nothing"),
    Route("GET", "/api/tree-orders", impact.list_tree_orders),
    Route("GET", "/api/project-donations", impact.list_project_donations),
    Route("GET", "/api/purchases", impact.list_purchases),
    Route("POST", "/api/tree-orders", orders.place_tree_order, is_order=True),
    Route("POST", "/api/tree-orders/preview", orders.preview_tree_order),
    Route("POST", "/api/project-orders", orders.place_project_order, is_order=True),
    Route("GET", "/api/orders/{purchase_id:str}", orders.get_order),
    Route(
        "POST",
        "/webhooks/stripe",
        payments.take_stripe_event,
        needs="nothing",
        is_counted=False,
        max_body_bytes=limits.EVENT_BYTES,
    ),
    Route("GET", "/api/credits/balance", ledger.get_balance),
    Route("GET", "/api/credits/ledger", ledger.list_ledger),
    Route("POST", "/api/credits/top-up", payments.top_up_credits),
    Route("GET", "/api/openapi.json", reference.get_description, needs="nothing", any_origin=True),
    Route("GET", "/api/docs", reference.show_reference, needs="nothing"),
)
