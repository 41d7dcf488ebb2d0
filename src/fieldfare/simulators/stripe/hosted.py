"""The pages that Stripe would host: enter a card, authenticate with the bank, see a receipt.

Plain HTML forms, so that a browser and a test's HTTP client use them alike.
"""

import html
from urllib.parse import parse_qsl, urlencode

from fieldfare.simulators.stripe import attempts, checkout
from fieldfare.simulators.stripe.amounts import known_currency, written
from fieldfare.simulators.stripe.cards import whole_year
from fieldfare.simulators.stripe.errors import ApiError, declined
from fieldfare.simulators.stripe.messages import Reply, Request, html_reply
from fieldfare.simulators.stripe.shapes import Thing
from fieldfare.simulators.stripe.store import attempt, get, transaction
from fieldfare.simulators.stripe.world import Call, World, now

PREFIXES = ("/checkout/", "/authenticate/", "/receipts/")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto;
  padding: 0 1rem; color: #1a2b33; }}
label {{ display: block; margin: 1rem 0 .25rem; }}
input {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem;
  border: 1px solid #687; border-radius: .3rem; }}
button {{ font: inherit; margin: 1.5rem .5rem 0 0; padding: .6rem 1.2rem; border: 0;
  border-radius: .3rem; background: #225; color: #fff; }}
.error {{ color: #a11; }} .note {{ color: #567; font-size: .875rem; }}
</style></head><body><main><h1>{title}</h1>{body}
<p class="note">Simulated Stripe. No real card works here, and no money moves.</p>
</main></body></html>
"""
_CARD_FORM = """{error}<form method="post">
<label for="number">Card number</label>
<input id="number" name="number" inputmode="numeric" autocomplete="cc-number" required
  value="{number}" placeholder="4242 4242 4242 4242">
<label for="exp">Expires (MM / YY)</label>
<input id="exp" name="exp" autocomplete="cc-exp" required value="{exp}" placeholder="12 / 34">
<label for="cvc">Security code</label>
<input id="cvc" name="cvc" inputmode="numeric" autocomplete="cc-csc" placeholder="123">
<button type="submit">Save card</button>{cancel}</form>"""
_BANK_FORM = """<p>{amount} to Fieldfare with the card ending in {last4}.</p><form method="post">
<button name="outcome" value="succeeded">Complete</button>
<button name="outcome" value="failed">Fail</button></form>"""


def serve_page(world: World, request: Request) -> Reply:
    """Show a page, or take what was entered in it."""
    section, _, identifier = request.path.lstrip("/").partition("/")
    call = Call(world=world, now=now(world), base_url=request.base_url())
    form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    if request.method not in {"GET", "POST"} or (request.method, section) == ("POST", "receipts"):
        return html_reply(405, _page("Not allowed", ""))
    try:
        if section == "checkout":
            return _checkout(call, identifier, form if request.method == "POST" else None)
        if section == "authenticate":
            return _bank(call, identifier, form if request.method == "POST" else None)
        return _receipt(call, identifier)
    except ApiError as error:
        reason = f'<p class="error">{html.escape(str(error))}</p>'
        return html_reply(error.status, _page("This page cannot be shown", reason))


def _page(title: str, body: str) -> str:
    return _PAGE.format(title=html.escape(title), body=body)


def _checkout(call: Call, identifier: str, form: dict[str, str] | None) -> Reply:
    session = checkout.get_open(call, identifier)
    if form is None:
        return html_reply(200, _card_page(session, {}, None))
    try:
        month, year = _expiry(form.get("exp", ""))
        with transaction(call.db):
            number = form.get("number", "")
            with attempt(call.db):
                session = checkout.complete(call, identifier, number, month, year)
    except ApiError as error:
        return html_reply(error.status, _card_page(session, form, str(error)))
    finally:
        call.world.wake.set()
    return _see_other(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))


def _card_page(session: Thing, form: dict[str, str], error: str | None) -> str:
    cancel_url = session["cancel_url"]
    cancel = f' <a href="{html.escape(cancel_url)}">Cancel</a>' if cancel_url else ""
    body = _CARD_FORM.format(
        error=f'<p class="error" role="alert">{html.escape(error)}</p>' if error else "",
        number=html.escape(form.get("number", "")),
        exp=html.escape(form.get("exp", "")),
        cancel=cancel,
    )
    return _page("Save a card", body)


def _expiry(text: str) -> tuple[int, int]:
    """Month and year from `12 / 34`; raises `ApiError`."""
    month, _, year = (part.strip() for part in text.partition("/"))
    if not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in (month, year)):
        raise declined("invalid_expiry_year", "Your card's expiration date is incomplete.")
    return int(month), whole_year(int(year))


def _bank(call: Call, identifier: str, form: dict[str, str] | None) -> Reply:
    intent = get(call.db, "payment_intent", identifier)
    action = (intent["next_action"] or {}).get("redirect_to_url")
    if action is None:
        return html_reply(404, _page("Nothing to authenticate", ""))
    if form is None:
        amount = written(intent["amount"], known_currency(intent["currency"]))
        method = get(call.db, "payment_method", intent["payment_method"])
        body = _BANK_FORM.format(amount=html.escape(amount), last4=method["card"]["last4"])
        return html_reply(200, _page("Your bank asks", body))
    succeeds = form.get("outcome") == "succeeded"
    with transaction(call.db):
        attempts.authenticate(call, identifier, succeeds=succeeds)
    call.world.wake.set()
    query = urlencode(
        {"payment_intent": identifier, "redirect_status": "succeeded" if succeeds else "failed"}
    )
    joiner = "&" if "?" in action["return_url"] else "?"
    return _see_other(f"{action['return_url']}{joiner}{query}")


def _receipt(call: Call, identifier: str) -> Reply:
    charge = get(call.db, "charge", identifier)
    amount = written(charge["amount"], known_currency(charge["currency"]))
    last4 = charge["payment_method_details"]["card"]["last4"]
    body = f"<p>{html.escape(amount)}, paid with the card ending in {last4}.</p>"
    return html_reply(200, _page("Receipt", body))


def _see_other(url: str) -> Reply:
    clean = url.replace("\r", "").replace("\n", "")
    return html_reply(303, "", {"Location": clean})
