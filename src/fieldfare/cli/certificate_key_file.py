"""The file of a private key of certificates: only its owner reads it, nobody writes over it."""

import os
from contextlib import suppress
from pathlib import Path


def write_private_key(path: Path) -> bytes:
    """A new private key in a new file; gives its PEM. Raises `FileExistsError`, or `OSError`."""
    from fieldfare.impact.service.signing import make_private_key

    pem = make_private_key()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return pem


def keep_private_key(path: Path) -> Path:
    """The same path, with a key in it: the one that is there, or else a new one."""
    with suppress(FileExistsError):
        write_private_key(path)
    return path
