"""Start and stop the server: the one path from a home folder to a database that answers.

What must hold: `start` returns only after a query was answered, waits for crash recovery however
long it takes, and notices at once if the server has died. Our own lock on the home, held for as
long as the server is ours, keeps two starts from meeting.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec

from fieldfare.db.embedded import leftovers
from fieldfare.db.embedded.children import (
    log_tail,
    open_log,
    prepare_log,
    signal_at_parent_death,
)
from fieldfare.db.embedded.cluster import (
    SUPERUSER,
    SYNC_METHOD,
    Cluster,
    adopt_data,
    check_data,
    make_data,
    name_inside,
    password_of,
    server_environment,
)
from fieldfare.db.embedded.errors import EmbeddedRefused
from fieldfare.db.embedded.folders import make_private
from fieldfare.db.embedded.install import choose_user, find_install, identity
from fieldfare.db.embedded.locks import LockHeldError, take_lock
from fieldfare.db.embedded.progress import Log, Progress

LOOPBACK = "127.0.0.1"
DEFAULT_DATABASE = "fieldfare"
_PORTS = range(15_000, 32_000)
_POLL_S = 0.02
_FAST_STOP_S = 60.0
_FORCED_STOP_S = 20.0


class RunningServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server that answers, and what it takes to reach and to stop it."""

    url: str
    """By TCP on loopback, with user, password and database."""
    local_url: str
    """The same by the socket in its private folder: quicker, for its user and root only."""
    pid: int
    port: int
    data_dir: Path
    socket_dir: Path
    log_path: Path
    log_start_bytes: int
    process: subprocess.Popen[bytes]
    lock_fd: int


def free_port(neighbours: int = 1) -> int:
    """The first of so many neighbouring TCP ports of loopback that nobody uses at this moment.

    It lies below those that systems hand to outgoing connections, so that none of these takes it
    before it is listened on.
    """
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS) - neighbours)
        if all(_is_free(one) for one in range(port, port + neighbours)):
            return port


def start(
    home: Path,
    port: int,
    *,
    database: str = DEFAULT_DATABASE,
    options: Mapping[str, str] | None = None,
    log: Log = lambda line: None,
) -> RunningServer:
    """Run the server of `home` on a loopback `port` and return once `database` answers.

    `options` are server settings for tests, such as `fsync=off`. `log` is told of each wait.
    Raises `EmbeddedRefused` with the next step, and with the end of the server's log if it died.
    """
    options = options or {}
    folder = home.absolute() / "postgres"
    lock_fd = _lock(folder)
    try:
        cluster = _find_cluster(folder, log)
        password = password_of(folder, cluster.data_dir)
        if not cluster.data_dir.exists():
            make_data(cluster, password, durable=options.get("fsync") != "off")
        log_start_bytes = prepare_log(cluster.log_path)
        process = _launch(cluster, port, options)
    except BaseException:
        os.close(lock_fd)
        raise
    try:
        # By the socket in our private folder nobody but this server can answer.
        private_url = _local_url(cluster.private, port, password, "postgres")
        _wait_until_it_answers(process, private_url, cluster.log_path, log_start_bytes, log)
        _ensure_database(private_url, database)
    except BaseException:
        _end(process, cluster.private, lock_fd, log)
        raise
    return RunningServer(
        url=_url(port, password, database),
        local_url=_local_url(cluster.private, port, password, database),
        pid=process.pid,
        port=port,
        data_dir=cluster.data_dir,
        socket_dir=cluster.private,
        log_path=cluster.log_path,
        log_start_bytes=log_start_bytes,
        process=process,
        lock_fd=lock_fd,
    )


def clear_leftovers(home: Path, *, log: Log = lambda line: None) -> None:
    """End what a killed run left of the server of `home`, as `start` does too; rows stay.

    Raises `EmbeddedRefused` if another process has that server, or if it does not end.
    """
    folder = home.absolute() / "postgres"
    if not (folder / "data").exists():
        return
    lock_fd = _lock(folder)
    try:
        leftovers.clear(folder / "data", log)
    finally:
        os.close(lock_fd)


def stop(server: RunningServer, *, log: Log = lambda line: None) -> None:
    """Shut down cleanly (clients are cut off, everything is written) and wait until it is done."""
    _end(server.process, server.socket_dir, server.lock_fd, log)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _lock(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return take_lock(folder / "lock")
    except PermissionError as error:
        raise EmbeddedRefused(
            f"{error.filename} belongs to another user; start as that one, "
            f"or set FIELDFARE_HOME to a folder of your own"
        ) from error
    except LockHeldError as held:
        raise EmbeddedRefused(
            f"the database server in {folder} is in use by the process {held.pid}; "
            f"stop that one, or set FIELDFARE_HOME to another folder"
        ) from held


def _find_cluster(folder: Path, log: Log) -> Cluster:
    """What will run, and where; on return nothing runs on its data, which may not exist yet."""
    data_dir = folder / "data"
    if data_dir.is_dir() and not any(data_dir.iterdir()):
        data_dir.rmdir()
    user = choose_user(data_dir)
    install = find_install(user)
    if data_dir.exists():
        check_data(data_dir, install)
        leftovers.clear(data_dir, log)
        adopt_data(data_dir, user)
    return Cluster(
        data_dir=data_dir,
        private=make_private(folder, user),
        log_path=folder.parent / "log" / "postgres.log",
        user=user,
        install=install,
    )


def _launch(cluster: Cluster, port: int, options: Mapping[str, str]) -> subprocess.Popen[bytes]:
    settings = {
        "cluster_name": leftovers.tag_of(cluster.data_dir),
        "listen_addresses": LOOPBACK,
        "port": str(port),
        "unix_socket_directories": str(cluster.private),
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "recovery_init_sync_method": SYNC_METHOD,
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        **options,
    }
    with open_log(cluster.log_path) as log_file:
        return subprocess.Popen(
            [
                cluster.install.bin_dir / "postgres",
                *("-D", name_inside(cluster.data_dir, cluster.user)),
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            cwd=cluster.data_dir,
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            preexec_fn=signal_at_parent_death(signal.SIGINT),
            start_new_session=True,
            **identity(cluster.user),
        )


def _url(port: int, password: str, database: str) -> str:
    return f"postgresql://{_login(password)}@{LOOPBACK}:{port}/{quote(database, safe='')}"


def _local_url(folder: Path, port: int, password: str, database: str) -> str:
    where = f"host={quote(str(folder), safe='')}&port={port}"
    return f"postgresql://{_login(password)}@/{quote(database, safe='')}?{where}"


def _login(password: str) -> str:
    return f"{SUPERUSER}:{quote(password, safe='')}"


def _wait_until_it_answers(
    process: subprocess.Popen[bytes], url: str, log_path: Path, log_start_bytes: int, log: Log
) -> None:
    # Loaded while the server starts, which takes longer; who only asks for help needs none.
    import psycopg

    progress = Progress(log, "the database server is not ready yet, it may be recovering")
    while True:
        if process.poll() is not None:
            raise EmbeddedRefused(
                f"the database server stopped while starting (exit status {process.returncode}); "
                f"the end of {log_path}:\n{log_tail(log_path, since_bytes=log_start_bytes)}"
            )
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                connection.execute("SELECT 1")
                return
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise EmbeddedRefused(
                    "the database server refuses the password kept beside its data; "
                    "put back the file `password` that belongs to this data"
                ) from error
        progress.tick()
        time.sleep(_POLL_S)


def _ensure_database(url: str, database: str) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(url, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
        if known.fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))


def _end(process: subprocess.Popen[bytes], socket_dir: Path, lock_fd: int, log: Log) -> None:
    """End the server, politely first; remove its socket folder and let go of the home."""
    try:
        for signum, patience_s in (
            (signal.SIGINT, _FAST_STOP_S),
            (signal.SIGQUIT, _FORCED_STOP_S),
            (signal.SIGKILL, _FORCED_STOP_S),
        ):
            if process.poll() is None:
                process.send_signal(signum)
            if _ended(process, patience_s, log):
                break
    finally:
        shutil.rmtree(socket_dir, ignore_errors=True)
        os.close(lock_fd)


def _ended(process: subprocess.Popen[bytes], patience_s: float, log: Log) -> bool:
    progress = Progress(log, "the database server is still writing its last changes")
    deadline = time.monotonic() + patience_s
    while process.poll() is None:
        if time.monotonic() > deadline:
            return False
        progress.tick()
        time.sleep(_POLL_S)
    return True
