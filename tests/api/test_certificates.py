"""Certificates: what they say, who may see them, and what becomes of them."""

import asyncio
import html
import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
import zxingcpp
from PIL import Image
from pypdf import PdfReader

from fieldfare.catalog.service import preset_catalogue
from fieldfare.http.encoding import encode_json
from fieldfare.impact.rules import hash_name
from fieldfare.impact.service.printing import MOST_AT_ONCE, Printer
from fieldfare.impact.service.signing import read_key_set, verify_document
from fieldfare.integrations.typst import Typesetter
from fieldfare.kernel import limits
from fieldfare.kernel.errors import Unavailable
from fieldfare.sandbox.desk import SandboxDesk
from tests.support.certificates import BODY, OTHER_SIGNER, SIGNER
from tests.support.client import Api, assert_refused
from tests.support.refunded import give_back
from tests.support.rivals import rival, waiting_sessions
from tests.support.waiting import wait_until

BY_GROUP = "/api/offset-orders/certificate/by-group"
VERIFY = "/api/certificates/verify"
KEYS = "/.well-known/fieldfare-certificate-keys.json"
FIELDS = [
    "orderGroupId", "certificateNumber", "purchaser", "tons", "trees", "issuedAt", "state",
    "projects", "uncertifiedProjects", "url", "pdfUrl", "imageUrl", "signed", "purchaserSalt",
]  # fmt: skip
SAMPLE_ID = f"test_oo_{7:032x}"
EVIL = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<svg/onload=alert(1)>",
    "{{7*7}}{% raw %}", "${7*7} #{7*7}", '#sys.inputs #read("/etc/passwd") $x$ *b* `c`',
    "=1+1", "@SUM(A1)", "-2+3", "javascript:alert(1)", "'; drop table orders.party; --",
    "a" * 200, "名前 שם اسم नाम 🌳", "&lt;b&gt;&#x3C;",
]  # fmt: skip


def certificate(api: Api, group_id: str, token: str | None = None) -> Any:
    """An order's certificate."""
    answer = api.get(f"{BY_GROUP}/{group_id}", token)
    assert answer.status_code == 200, answer.text
    return answer.json()


def path_of(url: str) -> str:
    """Of an address that an answer names."""
    return urlsplit(url).path


def page(api: Api, shown: Any, **headers: str) -> httpx.Response:
    """The public page, asked for without a token."""
    return api.http.get(path_of(shown["url"]), headers=headers)


def verified(api: Api, document: Any) -> Any:
    """What posting a document finds."""
    content = document if isinstance(document, bytes) else encode_json(document)
    answer = api.post(VERIFY, content=content, content_type="application/json", token="")
    assert answer.status_code == 200, answer.text
    return answer.json()


def state_of(api: Api, number: str) -> str:
    """What a number alone tells."""
    answer = api.http.get(f"/api/certificates/by-number/{number}")
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"certificateNumber", "state"}
    return str(answer.json()["state"])


def test_it_says_all_of_its_order(calm_api: Api) -> None:
    api = calm_api
    order = api.order(tons=1, onBehalfOfName="Grace Hopper", note="For Grace")
    shown = certificate(api, order["id"])
    assert list(shown) == FIELDS
    assert shown["orderGroupId"] == order["id"]
    assert (shown["purchaser"], shown["state"]) == ("Grace Hopper", "genuine")
    assert shown["url"] == order["certificateUrl"]
    assert (shown["pdfUrl"], shown["imageUrl"]) == (
        f"{shown['url']}/certificate.pdf", f"{shown['url']}/certificate.png",
    )  # fmt: skip
    lines = {line["id"]: line for line in order["portfolio"]["projects"]}
    both = [*shown["projects"], *shown["uncertifiedProjects"]]
    assert {one["id"]: one["tons"] for one in both} == {
        number: line["tons"] for number, line in lines.items()
    }
    assert {one["standing"] for one in shown["projects"]} <= {"certified", "external_standard"}
    assert {one["standing"] for one in shown["uncertifiedProjects"]} == {"uncertified"}
    assert list(both[0]) == [
        "id", "name", "tons", "trees", "standing", "certificationStatus", "registry", "retirements",
    ]  # fmt: skip
    listed = {
        row["project_id"]: row
        for name in ("offsetOrders", "uncertifiedOffsetOrders")
        for row in api.get("/api/offset-orders", order_group_id=order["id"]).json()[name]
    }
    for one in both:
        row = listed[one["id"]]
        assert (one["name"], one["standing"]) == (row["project_name"], row["standing"])
        assert one["certificationStatus"] == row["certification_status"]
    assert round(sum(one["tons"] for one in shown["projects"]), 9) == shown["tons"]
    assert shown["trees"] == 0
    assert certificate(api, order["purchaseId"]) == shown


def test_trees_and_donations_have_one_too(calm_api: Api) -> None:
    trees = calm_api.post("/api/tree-orders", {"amountOfTrees": 3, "paymentMethod": "credits"})
    shown = certificate(calm_api, trees.json()["id"])
    assert (shown["trees"], shown["tons"]) == (3, 0)
    assert [one["trees"] for one in shown["projects"]] == [3]
    assert "3 trees" in page(calm_api, shown).text
    gift = calm_api.post(
        "/api/project-orders",
        {"projectId": 31, "amountInUsdCents": 500, "paymentMethod": "credits"},
    )
    given = certificate(calm_api, gift.json()["id"])
    assert [(one["tons"], one["trees"]) for one in given["uncertifiedProjects"]] == [(0, 0)]
    assert "500" not in page(calm_api, given).text


def test_without_a_name_of_its_own_it_names_the_account(calm_api: Api) -> None:
    assert certificate(calm_api, calm_api.order()["id"])["purchaser"] == "Team"


def test_it_is_the_same_whoever_looks_at_once(calm_api: Api) -> None:
    order = calm_api.order(onBehalfOfName="Ada")
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: certificate(calm_api, order["id"]), range(16)))
    assert all(one == seen[0] for one in seen)
    kept = calm_api.sql(
        "select count(*) from impact.certificate where purchase_id = %s", order["purchaseId"]
    )
    assert kept == [(1,)]


def test_an_order_writes_nothing_of_it(calm_api: Api) -> None:
    order = calm_api.order()
    query = "select count(*) from impact.certificate where purchase_id = %s"
    assert calm_api.sql(query, order["purchaseId"]) == [(0,)]


# ------------------------------------------------------------------------------ the signed document


def test_the_document_verifies_by_the_published_keys(calm_api: Api) -> None:
    shown = certificate(calm_api, calm_api.order(onBehalfOfName="Amélie")["id"])
    published = calm_api.http.get(KEYS)
    assert published.headers["cache-control"] == "public, max-age=300"
    assert published.headers["access-control-allow-origin"] == "*"
    body = verify_document(encode_json(shown["signed"]), read_key_set(published.content))
    assert body.number == shown["certificateNumber"]
    assert body.mass_mg == round(shown["tons"] * 10**9)
    assert body.issued_at == shown["issuedAt"]
    salted = hash_name(bytes.fromhex(shown["purchaserSalt"]), "Amélie")
    assert body.purchaser_hash == salted.hex()
    said = verified(calm_api, shown["signed"])
    assert (said["valid"], said["state"], said["reason"]) == (True, "genuine", None)
    assert (said["certificateNumber"], said["tons"]) == (body.number, shown["tons"])


def test_it_names_no_person_address_note_or_money(calm_api: Api) -> None:
    order = calm_api.order(
        onBehalfOfName="Canary Nightingale", onBehalfOfEmail="canary@tests.example", note="canary",
        metadata={"canary": "canary"},
    )  # fmt: skip
    shown = certificate(calm_api, order["id"])
    document = encode_json(shown["signed"]).decode().lower()
    for secret in ("canary", order["id"], order["purchaseId"], path_of(shown["url"])[-32:]):
        assert secret not in document
    account = str(calm_api.world.team_id)
    assert f":{account}," not in document
    public = page(calm_api, shown).text
    assert "Canary Nightingale" in public
    for secret in ("canary@tests.example", "note", str(order["amountCharged"]), order["id"]):
        assert secret not in public


def test_it_is_posted_in_every_form(calm_api: Api) -> None:
    shown = certificate(calm_api, calm_api.order()["id"])
    document = encode_json(shown["signed"])
    whole = verified(calm_api, document)
    assert whole["valid"] is True
    assert verified(calm_api, shown) == whole
    assert verified(calm_api, {"signed": document.decode()}) == whole
    form = calm_api.post(VERIFY, form={"signed": document.decode()}, token="")
    assert form.json() == whole
    nothing = calm_api.post(VERIFY, {}, token="")
    assert_refused(nothing, 400, "invalid_certificate", "signed")
    assert_refused(calm_api.post(VERIFY, content=b"{", token=""), 400, "invalid_json")


def test_an_altered_one_is_not_valid(calm_api: Api) -> None:
    """Every bit is tried offline, in `unit/impact/test_signing.py`; here some bytes in one way."""
    shown = certificate(calm_api, calm_api.order(tons=0.001)["id"])
    document = encode_json(shown["signed"])
    for place in range(0, len(document), 17):
        altered = bytearray(document)
        altered[place] ^= 1
        answer = calm_api.post(
            VERIFY, content=bytes(altered), content_type="application/json", token=""
        )
        is_refused = answer.status_code == 400 and "code" in answer.json()
        assert is_refused or answer.json()["valid"] is False, bytes(altered)
        assert answer.status_code < 500


@pytest.mark.parametrize("signed", [None, "", 5, [], {}, "x", {"kid": "sample"}])
def test_what_is_no_document_is_told_so(calm_api: Api, signed: Any) -> None:
    answer = calm_api.post(VERIFY, {"signed": signed}, token="")
    if signed in (None, ""):
        assert_refused(answer, 400, "invalid_certificate", "signed")
    else:
        assert (answer.json()["valid"], answer.json()["reason"]) == (False, "malformed")


def test_one_of_another_key_or_of_no_record_is_not_valid(calm_api: Api) -> None:
    assert verified(calm_api, OTHER_SIGNER.sign(BODY))["reason"] == "unknown_key"
    unknown = verified(calm_api, SIGNER.sign(BODY))
    assert (unknown["reason"], unknown["state"]) == ("not_on_record", None)
    odd = msgspec.structs.replace(BODY, number="'; drop table")
    assert verified(calm_api, SIGNER.sign(odd))["reason"] == "not_on_record"


# ------------------------------------------------------------------------------ what becomes of it


def test_a_part_that_went_back_replaces_it_and_the_rest_refunds_it(calm_api: Api) -> None:
    order = calm_api.order(tons=1, portfolioId=2, onBehalfOfName="Ada")
    first = certificate(calm_api, order["id"])
    slug = path_of(first["url"])[-32:]
    give_back(calm_api.database_url, order["purchaseId"], order["amountCharged"] // 2)

    # Before anybody looked at the new one, too.
    assert state_of(calm_api, first["certificateNumber"]) == "replaced"
    old = verified(calm_api, first["signed"])
    assert (old["valid"], old["state"], old["reason"]) == (False, "replaced", "replaced")
    second = certificate(calm_api, order["id"])
    assert second["state"] == "genuine"
    assert second["url"] == first["url"]
    assert second["tons"] < first["tons"]
    assert second["certificateNumber"] != first["certificateNumber"]
    assert second["issuedAt"] > first["issuedAt"]
    assert verified(calm_api, second["signed"])["valid"] is True
    at_address = calm_api.http.get(f"/api/certificates/{slug}/verify").json()
    assert (at_address["valid"], at_address["tons"]) == (True, second["tons"])

    give_back(calm_api.database_url, order["purchaseId"])
    third = certificate(calm_api, order["id"])
    assert (third["state"], third["signed"]) == ("refunded", None)
    assert third["tons"] == first["tons"]
    assert third["certificateNumber"] == second["certificateNumber"]
    for shown in (first, second):
        assert state_of(calm_api, shown["certificateNumber"]) == "refunded"
        assert verified(calm_api, shown["signed"])["reason"] == "refunded"
    at_address = calm_api.http.get(f"/api/certificates/{slug}/verify").json()
    assert (at_address["valid"], at_address["state"]) == (False, "refunded")
    assert "Refunded" in page(calm_api, third).text


def test_refunded_before_anybody_looked(calm_api: Api) -> None:
    order = calm_api.order(tons=0.5)
    give_back(calm_api.database_url, order["purchaseId"])
    shown = certificate(calm_api, order["id"])
    assert (shown["state"], shown["tons"] > 0, shown["signed"]) == ("refunded", True, None)


def test_a_number_tells_its_state_and_nothing_else(calm_api: Api) -> None:
    shown = certificate(calm_api, calm_api.order()["id"])
    number = shown["certificateNumber"]
    assert re.fullmatch(r"[2-9A-HJKMNP-Z]{4}(-[2-9A-HJKMNP-Z]{4}){2}", number)
    assert state_of(calm_api, number.lower().replace("-", "")) == "genuine"
    unknown = calm_api.http.get("/api/certificates/by-number/6K3M-Q9XD-2HTA")
    assert_refused(unknown, 404, "certificate_not_found")
    wrong = number[:-1] + ("2" if number[-1] != "2" else "3")
    mistyped = calm_api.http.get(f"/api/certificates/by-number/{wrong}")
    assert_refused(mistyped, 400, "invalid_certificate_number")


# --------------------------------------------------------------------------------------- the page


def test_the_page_is_harmless_and_shows_what_it_certifies(calm_api: Api) -> None:
    shown = certificate(calm_api, calm_api.order(tons=0.45, onBehalfOfName="Ada & Co")["id"])
    answer = page(calm_api, shown)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"
    text = answer.text
    assert "<script" not in text
    for words in ("Genuine", shown["certificateNumber"], "Ada &amp; Co", f"{shown['tons']} t"):
        assert words in text
    assert f'<meta property="og:image" content="{shown["imageUrl"]}">' in text
    again = page(calm_api, shown, **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    code = calm_api.http.get(f"{path_of(shown['url'])}/verify")
    assert code.content == answer.content
    for sheet in re.findall(r'href="(/static/[^"]+)"', text):
        assert calm_api.http.get(sheet).status_code == 200


@pytest.mark.parametrize("name", EVIL)
def test_a_name_does_nothing_wherever_it_is_shown(calm_api: Api, name: str) -> None:
    harmless = certificate(calm_api, calm_api.order(tons=0.001, onBehalfOfName="Ada")["id"])
    shown = certificate(calm_api, calm_api.order(tons=0.001, onBehalfOfName=name, note=name)["id"])
    assert shown["purchaser"] == name
    told, plain = page(calm_api, shown).text, page(calm_api, harmless).text
    assert html.escape(name).replace("&#x27;", "&#39;") in told.replace("&#34;", "&quot;")
    # As many tags and attributes as with a harmless name, so it has become neither.
    assert Outline(told).tags == Outline(plain).tags
    assert verified(calm_api, shown["signed"])["valid"] is True


class Outline(HTMLParser):
    """The tags of a page with the names of their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """As the parser calls it."""
        self.tags.append((tag, [name for name, _ in attrs]))


def test_what_could_deceive_is_refused_before_it_is_kept(calm_api: Api) -> None:
    for name in ("Ada\u202egro", "Ada\x00", "Ada\u2066", "Ada\nLovelace"):
        body = {"tons": 0.01, "paymentMethod": "credits", "onBehalfOfName": name}
        assert_refused(
            calm_api.post("/api/offset-orders", body), 400, "invalid_text", "onBehalfOfName"
        )


def test_what_is_nowhere_gets_one_answer(calm_api: Api) -> None:
    order = calm_api.order()
    slugs = [
        uuid4().hex, str(uuid4()), "x", "0" * 32, "%00", "..", "a" * 300, order["purchaseId"],
        order["purchaseId"].replace("-", ""), "test_oo_x", "test_", "{" + str(uuid4()) + "}", "é",
    ]  # fmt: skip
    pages = [calm_api.http.get(f"/certificates/{slug}") for slug in slugs if slug != ".."]
    assert {answer.status_code for answer in pages} == {404}
    assert len({answer.content for answer in pages}) == 1
    verdicts = [
        calm_api.http.get(f"/api/certificates/{slug}/verify") for slug in slugs if slug != ".."
    ]
    for answer in verdicts:
        assert_refused(answer, 404, "certificate_not_found")
    assert len({answer.content for answer in verdicts}) == 1


def test_a_group_that_is_not_there_gets_one_answer(calm_api: Api) -> None:
    theirs = calm_api.order(token=calm_api.world.second_token)
    ids = [theirs["id"], str(uuid4()), "ch_unknown", "x", SAMPLE_ID, "é"]
    answers = [calm_api.get(f"{BY_GROUP}/{one}") for one in ids]
    for answer in answers:
        assert_refused(answer, 404, "certificate_not_found")
    assert len({answer.content for answer in answers}) == 1


def test_the_address_is_random_and_tells_nothing_of_the_order(calm_api: Api) -> None:
    order = calm_api.order()
    slug = UUID(path_of(order["certificateUrl"])[-32:])
    assert slug.version == 4
    number = certificate(calm_api, order["id"])["certificateNumber"].replace("-", "")
    assert number.lower() not in slug.hex


# -------------------------------------------------------------------------------------- test mode


@pytest.mark.parametrize("kind", ["oo", "to", "po"])
def test_test_mode_shows_a_sample(calm_api: Api, kind: str) -> None:
    group_id = f"test_{kind}_{7:032x}"
    shown = certificate(calm_api, group_id, calm_api.world.test_token)
    assert list(shown) == [*FIELDS, "test"]
    assert (shown["test"], shown["certificateNumber"]) == (True, "SAMPLE")
    text = page(calm_api, shown).text
    assert "SAMPLE" in text
    assert "Genuine" not in text
    said = verified(calm_api, shown["signed"])
    assert (said["valid"], said["reason"], said["state"]) == (False, "sample", None)
    at_address = calm_api.http.get(f"/api/certificates/{group_id}/verify").json()
    assert (at_address["valid"], at_address["reason"]) == (False, "sample")


def test_test_mode_knows_no_live_order(calm_api: Api) -> None:
    order = calm_api.order()
    answer = calm_api.get(f"{BY_GROUP}/{order['id']}", calm_api.world.test_token)
    assert_refused(answer, 404, "certificate_not_found")


# ------------------------------------------------------------------------------------ on paper


def test_it_comes_as_pdf_and_as_a_picture_that_lead_to_its_verification(calm_api: Api) -> None:
    shown = certificate(calm_api, calm_api.order(onBehalfOfName="{{7*7}} #eval(1)")["id"])
    pdf = calm_api.http.get(path_of(shown["pdfUrl"]))
    assert pdf.headers["content-type"] == "application/pdf"
    text = "".join(sheet.extract_text() for sheet in PdfReader(BytesIO(pdf.content)).pages)
    assert shown["certificateNumber"] in text
    assert "{{7*7}} #eval(1)" in text.replace("\n", " ")
    picture = calm_api.http.get(path_of(shown["imageUrl"]))
    assert picture.headers["content-type"] == "image/png"
    image = Image.open(BytesIO(picture.content))
    assert image.size == (1200, 630)
    codes = [code.text for code in zxingcpp.read_barcodes(image)]
    assert codes == [f"{shown['url']}/verify"]
    assert "Genuine" in calm_api.http.get(path_of(codes[0])).text
    for answer in (pdf, picture):
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = calm_api.http.get(
            answer.request.url, headers={"If-None-Match": answer.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
    assert_refused(
        calm_api.http.get(f"/certificates/{uuid4().hex}/certificate.pdf"),
        404, "certificate_not_found",
    )  # fmt: skip


async def test_who_comes_when_too_many_wait_for_theirs_is_sent_away_at_once() -> None:
    desk = SandboxDesk(preset=preset_catalogue(), public_url="https://sales.example")
    sample = await desk.certificate_at(SAMPLE_ID)
    printer = Printer(Typesetter(), seller="Fieldfare")
    asked = [printer.printed(sample, "png") for _ in range(MOST_AT_ONCE + 3)]
    made = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in made if isinstance(one, Unavailable)]
    assert len(refused) == 3
    assert {one.retry_after_s for one in refused} == {1}
    assert len({one for one in made if isinstance(one, bytes)}) == 1
    assert await printer.printed(sample, "png") in made


def test_a_document_may_be_as_long_as_the_command_takes_it(calm_api: Api) -> None:
    signed = certificate(calm_api, calm_api.order()["id"])["signed"]
    longest = encode_json(signed).ljust(limits.CERTIFICATE_BYTES)
    headers = {"Content-Type": "application/json"}
    verified = calm_api.http.post(VERIFY, content=longest, headers=headers)
    assert (verified.status_code, verified.json()["valid"]) == (200, True)
    refused = calm_api.http.post(VERIFY, content=longest + b" ", headers=headers)
    assert "256 KiB" in assert_refused(refused, 413, "body_too_large")["message"]


# ------------------------------------------------------------------------------- who is forgotten


def test_a_name_that_is_being_erased_is_in_no_certificate(own_api: Api) -> None:
    """Who looks first while an erasure is under way waits for it, and then finds no name."""
    account_id = own_api.world.team_id
    group = own_api.order()["id"]
    erasing = f"update accounts.account set erased_at = now() where id = {account_id}"
    with ThreadPoolExecutor(1) as pool, rival(own_api.database_url, erasing) as eraser:
        looking = pool.submit(certificate, own_api, group)
        wait_until(lambda: looking.done() or bool(waiting_sessions(own_api.database_url)))
        eraser.commit()
        shown = looking.result(60)
    assert (shown["purchaser"], shown["purchaserSalt"]) == (None, None)
    assert shown["signed"] is None or shown["signed"]["certificate"]["purchaserHash"] is None
    assert own_api.sql("select salt, purchaser_hash from impact.certificate") == [(None, None)]
