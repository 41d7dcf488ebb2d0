"""The data directory: made once by `initdb`, then checked at each start.

A new one is made aside and renamed, so a run that is killed midway leaves no half of one behind.
The server's user may not be able to enter the folders above it, so when we switch users the
processes are started inside the data directory and are told its name as `/proc/self/cwd`.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from fieldfare.db.embedded.children import signal_at_parent_death
from fieldfare.db.embedded.errors import EmbeddedRefused
from fieldfare.db.embedded.folders import fsync_folder, give_to
from fieldfare.db.embedded.install import Install, ServerUser, identity

SUPERUSER = "fieldfare"
SYNC_METHOD = "syncfs" if sys.platform == "linux" else "fsync"
"""One call for the whole file system; fsync of a thousand files takes seconds on a busy disk."""
_STAGING_PREFIX = "data.new-"
_INITDB = (
    f"--username={SUPERUSER}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # the same order of texts on every machine
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--auth=scram-sha-256",
)


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """Where one server lives and what runs it; `private` is the folder of its socket."""

    data_dir: Path
    private: Path
    log_path: Path
    user: ServerUser
    install: Install


def name_inside(data_dir: Path, user: ServerUser) -> str:
    """The data directory's name for a process that `user` runs with its working folder there."""
    inside = Path("/proc/self/cwd")
    return str(inside if user.switch and inside.is_dir() else data_dir)


def server_environment() -> dict[str, str]:
    """Our environment without what would change the server's ways."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def password_of(folder: Path, data_dir: Path) -> str:
    """The superuser's password, kept in `folder`; drawn before the data directory exists."""
    path = folder / "password"
    if path.exists() and (kept := path.read_text(encoding="ascii").strip()):
        return kept
    if data_dir.exists():
        raise EmbeddedRefused(
            f"{path} is missing, and without it nobody can log in to {data_dir}; "
            f"put it back, or move {folder} away to start anew"
        )
    password = secrets.token_urlsafe(24)
    staging = path.with_suffix(".new")
    staging.unlink(missing_ok=True)
    with os.fdopen(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    staging.rename(path)
    fsync_folder(folder)
    return password


def make_data(cluster: Cluster, password: str, *, durable: bool) -> None:
    """Make a new data directory; it appears under its name only once it is whole."""
    folder = cluster.data_dir.parent
    for leftover in folder.glob(f"{_STAGING_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=folder))
    give_to(staging, cluster.user)
    password_file = cluster.private / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password + "\n", encoding="ascii")
    give_to(password_file, cluster.user)
    try:
        _run_initdb(cluster, staging, password_file, durable=durable)
    finally:
        password_file.unlink(missing_ok=True)
    staging.rename(cluster.data_dir)
    fsync_folder(folder)


def check_data(data_dir: Path, install: Install) -> None:
    """See that this server can run on the data; touches nothing."""
    version = data_dir / "PG_VERSION"
    if not version.exists():
        raise EmbeddedRefused(
            f"{data_dir} holds no database; move it away to start anew, or put the data back"
        )
    found = version.read_text(encoding="ascii", errors="replace").strip()
    if found != str(install.major):
        raise EmbeddedRefused(
            f"{data_dir} was made by PostgreSQL {found} and this one is {install.major}; run "
            f"pg_upgrade, or dump it with version {found} and load it into a new FIELDFARE_HOME"
        )


def adopt_data(data_dir: Path, user: ServerUser) -> None:
    """Make `user` the owner of data that no server uses, such as a copy made by root."""
    if data_dir.stat().st_uid != user.uid:
        for folder, _, names in os.walk(data_dir, topdown=False):
            for path in (*(Path(folder) / name for name in names), Path(folder)):
                give_to(path, user)
    data_dir.chmod(0o700)


def _run_initdb(cluster: Cluster, staging: Path, password_file: Path, *, durable: bool) -> None:
    made = subprocess.run(
        [
            cluster.install.bin_dir / "initdb",
            f"--pgdata={name_inside(staging, cluster.user)}",
            f"--pwfile={password_file}",
            *_INITDB,
            f"--sync-method={SYNC_METHOD}" if durable else "--no-sync",
        ],
        cwd=staging,
        env=server_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        preexec_fn=signal_at_parent_death(signal.SIGKILL),
        start_new_session=True,
        **identity(cluster.user),
    )
    if made.returncode != 0:
        shutil.rmtree(staging, ignore_errors=True)
        tail = "\n".join(f"    {line}" for line in made.stdout.strip().splitlines()[-15:])
        raise EmbeddedRefused(f"initdb could not make {staging}; it said:\n{tail}")
