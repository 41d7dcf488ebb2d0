"""The port that the API listens on, alone or shared by several processes.

Each process has a socket of its own (SO_REUSEPORT) and the kernel deals new connections out by
their addresses: a process that is awake first cannot take them all, as it can from one socket that
all share. What must hold: a port that somebody else uses is told in one line, before anything else.
"""

import socket

from fieldfare.settings import Settings, SettingsRefused


def bind_port(settings: Settings) -> socket.socket:
    """A socket on FIELDFARE_HOST and FIELDFARE_PORT.

    Raises `SettingsRefused` if they cannot be had.
    """
    return _bind_api(_new_socket(settings.host), settings)


def bind_metrics_port(settings: Settings) -> socket.socket:
    """A socket on FIELDFARE_METRICS_HOST and FIELDFARE_METRICS_PORT, which somebody listens on.

    Raises `SettingsRefused` if they cannot be had, or if no port is set.
    """
    if settings.metrics_port is None:
        raise SettingsRefused(
            "FIELDFARE_METRICS_PORT is not set; set it to the port that metrics are to be read on, "
            "for instance 9464"
        )
    host, port = settings.metrics_host, settings.metrics_port
    return _bind(_new_socket(host), host, port, "FIELDFARE_METRICS_PORT")


def share_port(reserved: socket.socket) -> None:
    """Let processes of ours listen where `reserved` is bound; it takes no connection itself.

    Not before it is bound: whoever asks to share from the start is let in beside a stranger who
    shares too.
    """
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def bind_shared_port(settings: Settings) -> socket.socket:
    """One process's socket on a port that is kept and shared; raises `SettingsRefused`."""
    listener = _new_socket(settings.host)
    share_port(listener)
    return _bind_api(listener, settings)


def _new_socket(host: str) -> socket.socket:
    unbound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return unbound


def _bind_api(unbound: socket.socket, settings: Settings) -> socket.socket:
    return _bind(unbound, settings.host, settings.port, "FIELDFARE_PORT")


def _bind(unbound: socket.socket, host: str, port: int, setting: str) -> socket.socket:
    try:
        unbound.bind((host, port))
    except OSError as error:
        unbound.close()
        raise SettingsRefused(
            f"cannot listen on {host} port {port} ({error.strerror}); stop what uses it, or set "
            f"{setting} to another port"
        ) from error
    return unbound
