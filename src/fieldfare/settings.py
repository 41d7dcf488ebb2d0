"""Every setting of the product: one frozen struct, read once from the environment at start.

Each field is set by the variable named beside it; a variable that holds a secret can be given as
`NAME_FILE`, the path of a file with the value. A value that cannot be used stops the start with one
line that says what to set instead.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

DEFAULT_PORT = 3001
DEFAULT_HOME = ".fieldfare"


class SettingsRefused(ValueError):
    """A setting cannot be used; the message names the variable and what it takes."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration of one process."""

    database_url: str | None = None
    """`DATABASE_URL`: a PostgreSQL 15 to 18 server; without it `fieldfare up` starts its own."""
    home: Path = Path(DEFAULT_HOME)
    """`FIELDFARE_HOME`: where the demo and the embedded server keep their state."""
    host: str = "127.0.0.1"
    """`FIELDFARE_HOST`: the address that the API listens on."""
    port: int = DEFAULT_PORT
    """`FIELDFARE_PORT`: the API's port; the demo's other parts take the ports after it."""
    public_url: str = f"http://127.0.0.1:{DEFAULT_PORT}"
    """`FIELDFARE_PUBLIC_URL`: what clients see, without a slash at the end; links start with it."""
    pool_size: int = 10
    """`FIELDFARE_POOL_SIZE`: database connections of one process, 2 to 200."""
    log_level: str = "info"
    """`FIELDFARE_LOG_LEVEL`: debug, info, warning or error."""


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings that `environ` asks for; raises `SettingsRefused` for one that is of no use."""
    host = environ.get("FIELDFARE_HOST") or "127.0.0.1"
    port = _whole(environ, "FIELDFARE_PORT", default=DEFAULT_PORT, low=1, high=65_500)
    return Settings(
        database_url=_database_url(environ),
        home=Path(environ.get("FIELDFARE_HOME") or DEFAULT_HOME).absolute(),
        host=host,
        port=port,
        public_url=_public_url(environ, f"http://127.0.0.1:{port}"),
        pool_size=_whole(environ, "FIELDFARE_POOL_SIZE", default=10, low=2, high=200),
        log_level=_one_of(environ, "FIELDFARE_LOG_LEVEL", ("info", "debug", "warning", "error")),
    )


def _secret(environ: Mapping[str, str], name: str) -> str | None:
    """The value of `name`, or the content of the file that `name_FILE` points to."""
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name) or None
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise SettingsRefused(
            f"{name}_FILE names {path}, which cannot be read ({error.strerror}); "
            f"give the path of a readable file, or set {name} itself"
        ) from error


def _database_url(environ: Mapping[str, str]) -> str | None:
    url = _secret(environ, "DATABASE_URL")
    if url and not url.startswith(("postgresql://", "postgres://")):
        raise SettingsRefused(
            "DATABASE_URL must look like postgresql://user:password@host:5432/fieldfare"
        )
    return url


def _public_url(environ: Mapping[str, str], default: str) -> str:
    url = (environ.get("FIELDFARE_PUBLIC_URL") or default).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise SettingsRefused("FIELDFARE_PUBLIC_URL must start with http:// or https://")
    return url


def _whole(environ: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise SettingsRefused(f"{name} must be a whole number from {low} to {high}, not {text!r}")
    return int(text)


def _one_of(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = (environ.get(name) or choices[0]).lower()
    if value not in choices:
        raise SettingsRefused(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value
