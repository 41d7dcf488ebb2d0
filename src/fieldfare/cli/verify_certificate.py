"""`fieldfare verify-certificate`: is a signed certificate ours, and does it still hold?

Offline it takes the issuer's public keys from a file; whether the certificate still holds is asked
of the shop itself, with --at. Exit code 0 means that nothing was found against it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from fieldfare.cli.steps import complain, say

if TYPE_CHECKING:
    from fieldfare.impact.model import CertificateBody

KEYS_PATH = "/.well-known/fieldfare-certificate-keys.json"
VERIFY_PATH = "/api/certificates/verify"
TIMEOUT_S = 20


def verify_certificate_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The signed certificate, JSON.")],
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The issuer's published keys, saved before.")
    ] = None,
    public_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="One public key: the `x` of the published set."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The issuer's address: its keys, and the present state."),
    ] = None,
    purchaser: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whom it is said to be for; needs --salt.")
    ] = None,
    salt: Annotated[
        str | None, typer.Option(metavar="HEX", help="The `purchaserSalt` that came with it.")
    ] = None,
) -> None:
    """Verify a signed certificate, offline or at its issuer's; tells each reason against it.

    FILE is the object `signed` of a certificate, or the whole answer that it came in. Offline this
    proves who issued it; only the issuer knows whether its order was refunded since.

    Example: fieldfare verify-certificate certificate.json --keys keys.json

    Example: fieldfare verify-certificate certificate.json --at https://sales.example
    """
    from fieldfare.impact.errors import CertificateKeyRefused
    from fieldfare.impact.service.signing import NotVerified, verify_document

    try:
        document = _document_in(file.read_bytes())
        body = verify_document(document, _public_keys(keys, public_key, at))
    except NotVerified as refusal:
        _refuse(str(refusal))
    except CertificateKeyRefused as refusal:
        complain(str(refusal))
        raise typer.Exit(2) from refusal
    except OSError as error:
        complain(f"{error.filename} cannot be read ({error.strerror})")
        raise typer.Exit(2) from error
    _check_purchaser(body, purchaser, salt)
    _say_what_it_certifies(body)
    if at is None:
        say("Whether it still holds, only its issuer knows: ask with --at and its address.")
    else:
        _ask_issuer(document, at)


def _document_in(data: bytes) -> bytes:
    """The document itself, or the one inside the answer of an API; its own bytes in either case."""
    import msgspec

    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data
    return bytes(fields["signed"]) if "signed" in fields else data


def _public_keys(keys: Path | None, public_key: str | None, at: str | None) -> dict[str, bytes]:
    from fieldfare.impact.service.signing import read_key_set, read_public_key

    if keys is not None:
        return read_key_set(keys.read_bytes())
    if public_key is not None:
        return read_public_key(public_key)
    if at is not None:
        return read_key_set(_fetched("GET", f"{at.rstrip('/')}{KEYS_PATH}"))
    raise typer.BadParameter("give the issuer's keys: --keys, --public-key, or its address as --at")


def _fetched(method: str, url: str, content: bytes | None = None) -> bytes:
    import httpx

    headers = {"Content-Type": "application/json"} if content is not None else None
    try:
        answer = httpx.request(method, url, content=content, headers=headers, timeout=TIMEOUT_S)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        complain(f"{url} does not answer as it should ({error}); give --keys to verify offline")
        raise typer.Exit(2) from error
    return answer.content


def _check_purchaser(body: "CertificateBody", purchaser: str | None, salt: str | None) -> None:
    from fieldfare.impact.rules import hash_name

    if purchaser is None:
        return
    try:
        salted = hash_name(bytes.fromhex(salt or ""), purchaser)
    except ValueError as error:
        raise typer.BadParameter("--salt has to be hexadecimal digits") from error
    if salted.hex() != body.purchaser_hash:
        _refuse("It was issued, but not for this name with this salt.")


def _say_what_it_certifies(body: "CertificateBody") -> None:
    from fieldfare.kernel.mass import tonnes_from_mg

    say(_plain(f"Issued by {body.issuer} on {body.issued_at[:10]} as certificate {body.number}:"))
    say(f"  {tonnes_from_mg(body.mass_mg):f} t of CO2e, {body.trees:,} trees")
    for project in body.projects:
        mass = f"{tonnes_from_mg(project.mass_mg):f} t"
        say(_plain(f"  - {project.name}: {mass}, {project.trees:,} trees ({project.standing})"))


def _ask_issuer(document: bytes, at: str) -> None:
    import msgspec

    told: dict[str, Any] = msgspec.json.decode(
        _fetched("POST", f"{at.rstrip('/')}{VERIFY_PATH}", document)
    )
    if told.get("valid") is not True:
        _refuse(str(told.get("message")))
    say("It holds now.")


def _refuse(why: str) -> NoReturn:
    complain(_plain(f"not valid: {why}"))
    raise typer.Exit(1)


def _plain(text: str) -> str:
    """Without what a terminal would act upon: a document may come from anybody."""
    return "".join(character if character.isprintable() else "�" for character in text)
