"""`fieldfare certificate-keys`: the keys that certificates are signed with and verified by.

The private key is a file of the operator's; the database holds public keys only.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldfare.cli.certificate_key_file import write_private_key
from fieldfare.cli.context import open_cli_connection, open_cli_database, open_cli_transaction, run
from fieldfare.cli.steps import complain, say
from fieldfare.kernel.clock import rfc3339

if TYPE_CHECKING:
    from fieldfare.impact.model import CertificateKey
    from fieldfare.impact.service.signing import Signer

certificate_keys_app = typer.Typer(
    help="The keys of certificates: make, publish, list, export, withdraw.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="Of the private key, in PEM.")]
Kid = Annotated[str, typer.Argument(metavar="KID", help="As `list` shows it.")]


@certificate_keys_app.command("make")
def make_command(file: KeyFile) -> None:
    """Make a new private key in a new file, which only its owner can read.

    To change keys: make one, publish it, point FIELDFARE_CERTIFICATE_KEY_FILE at it, and start the
    API again. What the old key has signed goes on being verified.

    Example: fieldfare certificate-keys make /etc/fieldfare/certificate-key-2.pem
    """
    from fieldfare.impact.service.signing import read_signer

    try:
        pem = write_private_key(file)
    except OSError as error:
        complain(
            f"{file} cannot be written ({error.strerror}); name a new file in a folder of yours"
        )
        raise typer.Exit(1) from error
    say(f"{read_signer(pem.decode()).kid} is in {file}. Keep a copy of it in a safe place.")


@certificate_keys_app.command("publish")
def publish_command(file: KeyFile) -> None:
    """Publish the public half of a key before anything is signed with it.

    The API does so by itself when it starts with a new key. To publish it some days ahead lets
    those who verify offline fetch it in time.

    Example: fieldfare certificate-keys publish /etc/fieldfare/certificate-key-2.pem
    """
    try:
        private_key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        complain(f"{file} cannot be read as a key: {error}")
        raise typer.Exit(1) from error
    signer, added = run(_publish(private_key))
    say(f"{signer.kid} is {'published' if added else 'published already'}.")


async def _publish(private_key: str) -> "tuple[Signer, bool]":
    from fieldfare.impact.service.keys import publish_key
    from fieldfare.impact.service.signing import read_signer

    signer = read_signer(private_key)
    async with open_cli_database() as db:
        return signer, await publish_key(db, signer, datetime.now(UTC))


@certificate_keys_app.command("list")
def list_command() -> None:
    """Show every key that was published, the newest first.

    Example: fieldfare certificate-keys list
    """
    keys = run(_list())
    for key in keys:
        ended = "" if key.withdrawn_at is None else f"  withdrawn {rfc3339(key.withdrawn_at)}"
        say(f"{key.kid}  since {rfc3339(key.added_at)}{ended}")
    if not keys:
        say("No key is published yet, so no certificate is signed: `certificate-keys make`.")


async def _list() -> "list[CertificateKey]":
    from fieldfare.impact.service.keys import list_keys

    async with open_cli_connection() as conn:
        return await list_keys(conn)


@certificate_keys_app.command("export")
def export_command() -> None:
    """Print the public keys as they are published, for `fieldfare verify-certificate --keys`.

    Example: fieldfare certificate-keys export > keys.json
    """
    say(run(_export()))


async def _export() -> str:
    from fieldfare.http.encoding import encode_json
    from fieldfare.impact.service.keys import load_keys
    from fieldfare.impact.service.signing import key_set

    async with open_cli_database() as db:
        published = await load_keys(db)
    return encode_json(key_set(published.keys)).decode()


# One in 64 ids begins with a hyphen.
@certificate_keys_app.command("withdraw", context_settings={"ignore_unknown_options": True})
def withdraw_command(
    kid: Kid, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Let nothing that a key has signed be verified any more, because somebody else has it.

    Certificates stay as they are, and are signed with the present key when they are read again.

    Example: fieldfare certificate-keys withdraw N5pYtFZ9gW3n0cUVQG7yZ0nR1p6l7fD0m9s2c4x8b1A
    """
    if not yes and not typer.confirm(f"Let nothing that {kid} signed be verified any more?"):
        complain("nothing was changed; answer y, or give --yes")
        raise typer.Exit(1)
    run(_withdraw(kid))
    say("It is withdrawn. An API that has it as its own key does not start again with it.")


async def _withdraw(kid: str) -> None:
    from fieldfare.impact.service.keys import withdraw_key

    async with open_cli_transaction() as conn:
        await withdraw_key(conn, kid, datetime.now(UTC))
