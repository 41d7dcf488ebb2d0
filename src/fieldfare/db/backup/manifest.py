"""`manifest.json`: what a backup holds, when it was taken, and by what it is known to be whole.

It names no server, user or password: whoever may see that a backup is there may read it.
"""

import hashlib
from datetime import datetime
from pathlib import Path

import msgspec

from fieldfare.db.embedded.progress import Log, Progress
from fieldfare.db.errors import BackupRefused

MANIFEST = "manifest.json"
FORMAT = 1
_BLOCK_BYTES = 1 << 20


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a backup."""

    bytes: int
    sha256: str


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """A base backup of the server, from which it can be brought to an instant."""

    taken_by: datetime
    """From this instant on: an earlier one is not in it."""
    wal_folder: str
    """Where the log that continues it is, within the archive."""
    first_segment: str
    """The first file of the log that it needs."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a backup."""

    format: int
    taken_at: datetime
    """The instant of the dump's snapshot: what was committed by then is in it."""
    program: str
    server_major: int
    revision: str
    """Of the schema."""
    rows: dict[str, int]
    """Of each table."""
    books: dict[str, int]
    """The trial balance: book and currency, in millionths of its hundredth."""
    files: dict[str, StoredFile]
    base: Base | None = None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Beside the files of a backup."""
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    path = folder / MANIFEST
    path.touch(mode=0o600)
    path.write_bytes(content + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """What a folder holds; raises `BackupRefused` if it is no backup, or a newer kind of one."""
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise BackupRefused(
            f"{folder} is no backup, as it has no {MANIFEST}; name the folder of one, such as "
            "/var/backups/fieldfare/20261201T100000Z"
        ) from error
    except (OSError, msgspec.DecodeError) as error:
        raise BackupRefused(f"{path} cannot be read ({error}); take another backup") from error
    if manifest.format != FORMAT:
        raise BackupRefused(
            f"{path} is of format {manifest.format}, this program knows {FORMAT}; restore it with "
            f"Fieldfare {manifest.program}"
        )
    return manifest


def describe_file(path: Path, log: Log) -> StoredFile:
    """Size and hash of a file, as they are read from it now."""
    digest = hashlib.sha256()
    progress = Progress(log, f"still reading {path.name}")
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            progress.tick()
    return StoredFile(bytes=path.stat().st_size, sha256=digest.hexdigest())


def check_files(folder: Path, manifest: Manifest, log: Log) -> None:
    """Read every file and hold it against the manifest; raises `BackupRefused` for the first."""
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise BackupRefused(f"{path} is missing; take another backup")
        if describe_file(path, log) != expected:
            raise BackupRefused(
                f"{path} is not what was written: its SHA-256 differs; take another backup"
            )
