"""Certificates outlive keys and names: `verify-certificate`, `certificate-keys`, `erase`."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from fieldfare.cli.main import app
from fieldfare.http.encoding import encode_json
from fieldfare.settings import Settings, SettingsRefused
from tests.support.cards import CardShop, Team
from tests.support.certificates import OTHER_SIGNER, SIGNER, private_key_pem
from tests.support.erasing import environment, erased
from tests.support.refunded import give_back
from tests.support.server import running_api
from tests.support.waiting import wait_until

BY_GROUP = "/api/offset-orders/certificate/by-group"
KEYS = "/.well-known/fieldfare-certificate-keys.json"
NAME = "Canary Nightingale"


@pytest.fixture
def team(shop: CardShop) -> Team:
    """An account with credits."""
    team = shop.team()
    assert shop.top_up(team).status_code == 200
    return team


def bought(shop: CardShop, team: Team, **fields: Any) -> Any:
    """The certificate of a new order."""
    answer = shop.order(team, paymentMethod="credits", onBehalfOfName=NAME, **fields)
    return certificate(shop, team, answer.json()["id"])


def certificate(shop: CardShop, team: Team, group_id: str) -> Any:
    """An order's certificate as it is now."""
    answer = shop.get(f"{BY_GROUP}/{group_id}", team)
    assert answer.status_code == 200, answer.text
    return answer.json()


def page(shop: CardShop, shown: Any) -> str:
    """The public page."""
    return shop.http.get(urlsplit(shown["url"]).path).text


def state(shop: CardShop, shown: Any) -> Any:
    """What posting its document finds now: valid, state and reason."""
    said = shop.http.post("/api/certificates/verify", json=shown["signed"]).json()
    return said["valid"], said["state"], said["reason"]


def command(shop: CardShop, *words: object) -> Any:
    """How `fieldfare` ends."""
    return CliRunner().invoke(app, list(map(str, words)), env=environment(shop))


def saved(folder: Path, name: str, content: bytes) -> Path:
    """A file with something in it."""
    path = folder / name
    path.write_bytes(content)
    return path


# ---------------------------------------------------------------------------------------- verifying


def test_a_file_is_verified_offline_and_each_fault_is_told(
    shop: CardShop, team: Team, tmp_path: Path
) -> None:
    shown = bought(shop, team)
    document = encode_json(shown["signed"])
    file = saved(tmp_path, "certificate.json", document)
    keys = saved(tmp_path, "keys.json", shop.http.get(KEYS).content)
    other = saved(tmp_path, "answer.json", encode_json(shown))

    def verify(path: Path, *words: object) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["verify-certificate", str(path), *map(str, words)])
        return result.exit_code, result.output

    for path in (file, other):
        code, said = verify(path, "--keys", keys)
        assert (code, shown["certificateNumber"] in said) == (0, True), said
        assert "only its issuer knows" in said
    x = next(key["x"] for key in shop.http.get(KEYS).json()["keys"] if key["kid"] == SIGNER.kid)
    assert verify(file, "--public-key", x)[0] == 0
    salt = ("--salt", shown["purchaserSalt"])
    assert verify(file, "--keys", keys, "--purchaser", NAME, *salt)[0] == 0
    assert verify(file, "--keys", keys, "--purchaser", "Ada", *salt)[0] == 1

    altered = saved(tmp_path, "altered.json", document.replace(b'"trees":0', b'"trees":9'))
    foreign = saved(tmp_path, "foreign.json", document.replace(SIGNER.kid.encode(), b"x"))
    nothing = saved(tmp_path, "nothing.json", b"\x1b[31m\xff")
    for path, why in ((altered, "altered"), (foreign, "names the key"), (nothing, "not a signed")):
        code, said = verify(path, "--keys", keys)
        assert (code, why in said) == (1, True), said
        assert "\x1b" not in said
    for words in (("--keys", nothing), ("--keys", tmp_path / "none"), ("--public-key", "x"), ()):
        assert verify(file, *words)[0] == 2

    assert verify(file, "--at", shop.base_url)[0] == 0
    give_back(shop.database_url, shown["orderGroupId"])
    assert verify(file, "--keys", keys)[0] == 0
    code, said = verify(file, "--at", f"{shop.base_url}/")
    assert (code, "given back" in said) == (1, True), said
    assert verify(file, "--at", "http://127.0.0.1:9")[0] == 2


# ---------------------------------------------------------------------------------------- rotation


@pytest.fixture
def rotated(shop: CardShop, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The same shop served with a new key: its address, and the key's id."""
    path = tmp_path / "key-2.pem"
    made = command(shop, "certificate-keys", "make", path)
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = command(shop, "certificate-keys", "make", path)
    assert (again.exit_code, "new file" in again.stderr) == (1, True)
    published = [command(shop, "certificate-keys", "publish", path).output for _ in range(2)]
    assert [said.strip().rpartition("is ")[2] for said in published] == [
        "published.", "published already.",
    ]  # fmt: skip
    settings = Settings(database_url=shop.database_url, certificate_key=path.read_text().strip())
    with running_api(settings) as base_url:
        yield base_url, made.output.split()[0]


def test_what_an_old_key_signed_goes_on_being_verified(
    shop: CardShop, team: Team, rotated: tuple[str, str]
) -> None:
    base_url, kid = rotated
    before = bought(shop, team)
    assert before["signed"]["kid"] == SIGNER.kid
    shop_before = shop.base_url
    shop.move_to(base_url)
    try:
        after = certificate(shop, team, before["orderGroupId"])
        assert after["signed"]["kid"] == kid
        assert after["signed"]["certificate"] == before["signed"]["certificate"] | {
            "issuer": after["signed"]["certificate"]["issuer"]
        }
        published = {key["kid"] for key in shop.http.get(KEYS).json()["keys"]}
        assert {kid, SIGNER.kid} <= published
        assert state(shop, before) == state(shop, after) == (True, "genuine", None)
        listed = command(shop, "certificate-keys", "list").output
        assert listed.index(kid) < listed.index(SIGNER.kid)
        exported = command(shop, "certificate-keys", "export").output
        assert kid in exported

        # Somebody else has the new key: nothing that it signed counts, and what the old one did.
        withdrawn = command(shop, "certificate-keys", "withdraw", kid, "--yes")
        assert withdrawn.exit_code == 0, withdrawn.output
        wait_until(lambda: state(shop, after) == (False, None, "withdrawn_key"))
        assert state(shop, before) == (True, "genuine", None)
        assert kid not in shop.http.get(KEYS).text
        assert "withdrawn" in command(shop, "certificate-keys", "list").output
    finally:
        shop.move_to(shop_before)
    unknown = command(shop, "certificate-keys", "withdraw", "-Nobody_-", "--yes")
    assert (unknown.exit_code, "no certificate key -Nobody_-." in unknown.stderr) == (1, True)


def test_a_key_of_no_use_stops_the_start(shop: CardShop) -> None:
    with (
        pytest.raises(SettingsRefused, match=r"FIELDFARE_CERTIFICATE_KEY.*no private key"),
        running_api(Settings(database_url=shop.database_url, certificate_key="secret")),
    ):
        pass
    settings = Settings(
        database_url=shop.database_url, certificate_key=private_key_pem(bytes(range(1, 33)))
    )
    with running_api(settings):
        pass
    command(shop, "certificate-keys", "withdraw", OTHER_SIGNER.kid, "--yes")
    with (
        pytest.raises(SettingsRefused, match=r"FIELDFARE_CERTIFICATE_KEY.*was withdrawn"),
        running_api(settings),
    ):
        pass


def test_without_a_key_certificates_are_shown_and_not_signed(shop: CardShop, team: Team) -> None:
    before = bought(shop, team)
    shop_before = shop.base_url
    with running_api(Settings(database_url=shop.database_url)) as base_url:
        shop.move_to(base_url)
        try:
            shown = certificate(shop, team, before["orderGroupId"])
            assert (shown["signed"], shown["state"]) == (None, "genuine")
            assert state(shop, before) == (True, "genuine", None)
            assert "Genuine" in page(shop, shown)
        finally:
            shop.move_to(shop_before)


# ----------------------------------------------------------------------------------------- erasing


def test_an_erased_person_is_on_no_certificate_and_the_document_still_verifies(
    shop: CardShop, team: Team
) -> None:
    looked_at, never_seen = (
        bought(shop, team),
        shop.order(team, paymentMethod="credits", onBehalfOfName=NAME).json()["id"],
    )
    assert NAME in page(shop, looked_at)
    for group in (looked_at["orderGroupId"], never_seen):
        assert "names nobody any more" in erased(shop, "--group", group)
        shown = certificate(shop, team, group)
        assert (shown["purchaser"], shown["purchaserSalt"]) == (None, None)
        assert NAME not in page(shop, shown)
        assert "on behalf of" not in page(shop, shown)
    again = certificate(shop, team, looked_at["orderGroupId"])
    assert again["signed"] == looked_at["signed"]
    assert certificate(shop, team, never_seen)["signed"]["certificate"]["purchaserHash"] is None
    assert state(shop, looked_at) == (True, "genuine", None)
    salts = "select count(salt) from impact.certificate where account_id = %s"
    assert shop.sql(salts, team.id) == [(0,)]


def test_nobody_of_an_erased_account_is_on_a_certificate(shop: CardShop, team: Team) -> None:
    named = bought(shop, team)
    own = certificate(shop, team, shop.order(team, paymentMethod="credits").json()["id"])
    assert own["purchaser"] == "Team"
    said = erased(shop, "--account", team.id, "--forfeit")
    assert "traced to a name any more: 2." in said
    for shown in (named, own):
        text = page(shop, shown)
        assert shown["certificateNumber"] in text
        assert "on behalf of" not in text
        assert state(shop, shown) == (True, "genuine", None)
    assert shop.sql(
        "select count(salt) from impact.certificate where account_id = %s", team.id
    ) == [(0,)]
    assert shop.findings() == []
