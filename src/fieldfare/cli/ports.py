"""Whether the ports we are about to listen on are free, and who has them if not."""

import contextlib
import errno
import socket

import psutil

from fieldfare.cli.supervisor import UpRefused


def check_port(host: str, port: int, part: str, *, base_port: int) -> None:
    """Raise `UpRefused` with the remedy unless `part` can listen on `port` of `host`."""
    remedy = (
        f"set FIELDFARE_PORT to another port than {base_port}; the parts take the ones after it"
    )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: a port whose last connections are only fading out is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise UpRefused(f"FIELDFARE_HOST {host} is no address ({error.strerror})") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UpRefused(
                f"port {port}, wanted by the {part}, is in use{_holder(port)}; "
                f"stop that process, or {remedy}"
            ) from error
        if error.errno == errno.EACCES:
            raise UpRefused(f"port {port} may be opened by root only; {remedy}") from error
        raise UpRefused(
            f"the {part} cannot listen on {host}:{port} ({error.strerror}); "
            f"see FIELDFARE_HOST and FIELDFARE_PORT"
        ) from error


def _holder(port: int) -> str:
    """` by NAME (pid N)`, or nothing where the system does not tell."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            at = getattr(connection.laddr, "port", None)
            if listens and connection.pid and at == port:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
