"""Every setting of the product: one frozen struct, read once from the environment at start.

Each field is set by the variable named beside it; a variable that holds a secret can be given as
`NAME_FILE`, the path of a file with the value. A value that cannot be used stops the start with one
line that says what to set instead.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeAlias

import msgspec

from fieldfare.kernel.buckets import Limit

Network: TypeAlias = IPv4Network | IPv6Network

DEFAULT_PORT = 3001
DEFAULT_HOME = ".fieldfare"
TRACES_PATH = "/v1/traces"


class SettingsRefused(ValueError):
    """A setting cannot be used; the message names the variable and what it takes."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration of one process."""

    database_url: str | None = None
    """`DATABASE_URL`: a PostgreSQL 15 to 18 server; without it `fieldfare up` starts its own."""
    home: Path = Path(DEFAULT_HOME)
    """`FIELDFARE_HOME`: where the demo and the embedded server keep their state."""
    archive: Path | None = None
    """`FIELDFARE_ARCHIVE`: where the database's log is kept for a restore to an instant; without
    it, a backup is a dump alone."""
    host: str = "127.0.0.1"
    """`FIELDFARE_HOST`: the address that the API listens on."""
    port: int = DEFAULT_PORT
    """`FIELDFARE_PORT`: the API's port; the demo's other parts take the ports after it."""
    public_url: str = f"http://127.0.0.1:{DEFAULT_PORT}"
    """`FIELDFARE_PUBLIC_URL`: what clients see, without a slash at the end; links start with it."""
    stripe_key: str | None = None
    """`FIELDFARE_STRIPE_KEY`: the card processor's secret key; without it no card is charged."""
    stripe_url: str = "https://api.stripe.com"
    """`FIELDFARE_STRIPE_URL`: where the processor's API is; the demo names its simulator."""
    stripe_timeout_s: float = 25.0
    """`FIELDFARE_STRIPE_TIMEOUT`: whole seconds, 1 to 28, that one call to it may take."""
    stripe_calls_per_second: int = 25
    """`FIELDFARE_STRIPE_CALLS_PER_SECOND`: to it, by all processes together, 1 to 1,000; the same
    for every process."""
    stripe_webhook_secret: str | None = None
    """`FIELDFARE_STRIPE_WEBHOOK_SECRET`: what the processor signs its events with."""
    certificate_key: str | None = None
    """`FIELDFARE_CERTIFICATE_KEY`: the private key that certificates are signed with, Ed25519 in
    PEM, or the PEM's base64 alone; without it certificates are shown and not signed."""
    rates_url: str | None = None
    """`FIELDFARE_RATES_URL`: where new reference rates are; without it, the installed package's."""
    smtp_host: str | None = None
    """`FIELDFARE_SMTP_HOST`: the mail server; without it mail waits."""
    smtp_port: int = 587
    """`FIELDFARE_SMTP_PORT`."""
    smtp_security: str = "starttls"
    """`FIELDFARE_SMTP_SECURITY`: starttls, tls or plain."""
    smtp_user: str | None = None
    """`FIELDFARE_SMTP_USER`."""
    smtp_password: str | None = None
    """`FIELDFARE_SMTP_PASSWORD`."""
    mail_from: str = "Fieldfare <receipts@localhost>"
    """`FIELDFARE_MAIL_FROM`: whom mail is from."""
    seller_name: str = "Fieldfare"
    """`FIELDFARE_SELLER_NAME`: who sells, as receipts name it."""
    refills_per_day: int = 5
    """`FIELDFARE_REFILLS_PER_DAY`: how often in 24 hours an account is refilled, 1 to 100."""
    adjust_alone_up_to_cents: int = 10_000
    """`FIELDFARE_ADJUST_ALONE_UP_TO`, in whole US dollars, here in cents: the largest change of an
    account's credits that one operator may make; above it, two are needed."""
    processes: int | None = None
    """`FIELDFARE_PROCESSES`: processes of the API, 1 to 64; without it, as many as there are cores
    to use, as far as the database's connections go."""
    pool_size: int = 10
    """`FIELDFARE_POOL_SIZE`: database connections of one process, 2 to 200; the worker is one too,
    so that the whole needs (processes + 1) times as many."""
    metrics_port: int | None = None
    """`FIELDFARE_METRICS_PORT`: where `/metrics` is, for operators; without it nothing is kept."""
    metrics_host: str = "127.0.0.1"
    """`FIELDFARE_METRICS_HOST`: the address of that port."""
    traces_url: str | None = None
    """`FIELDFARE_TRACES_URL`, or else `OTEL_EXPORTER_OTLP_ENDPOINT`: a collector that takes OTLP
    over HTTP, here with the path to it; without either there are no traces."""
    rate_per_second: int = 200
    """`FIELDFARE_RATE_PER_SECOND`: requests of an account, and of a test token, in the long run, 1
    to 1,000,000; the same for every process."""
    rate_burst: int = 1_000
    """`FIELDFARE_RATE_BURST`: how many of them at once after a rest; at least one second's."""
    address_rate_per_second: int = 200
    """`FIELDFARE_ADDRESS_RATE_PER_SECOND`: requests of an address without a good token, to each
    process."""
    address_rate_burst: int = 1_000
    """`FIELDFARE_ADDRESS_RATE_BURST`: how many of them at once after a rest."""
    trusted_proxies: tuple[Network, ...] = ()
    """`FIELDFARE_TRUSTED_PROXIES`: addresses and networks, with commas between them, whose
    `X-Forwarded-For` is believed."""
    log_level: str = "info"
    """`FIELDFARE_LOG_LEVEL`: debug, info, warning or error."""

    @property
    def account_limit(self) -> Limit:
        """What an account may send."""
        return Limit(self.rate_per_second, self.rate_burst)

    @property
    def address_limit(self) -> Limit:
        """What an address may send without a good token."""
        return Limit(self.address_rate_per_second, self.address_rate_burst)


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings that `environ` asks for; raises `SettingsRefused` for one that is of no use."""
    host = environ.get("FIELDFARE_HOST") or "127.0.0.1"
    port = _whole(environ, "FIELDFARE_PORT", default=DEFAULT_PORT, low=1, high=65_500)
    of_account = _limit(environ, "FIELDFARE_RATE")
    of_address = _limit(environ, "FIELDFARE_ADDRESS_RATE")
    return Settings(
        database_url=_database_url(environ),
        home=Path(environ.get("FIELDFARE_HOME") or DEFAULT_HOME).absolute(),
        archive=Path(environ["FIELDFARE_ARCHIVE"]).absolute()
        if environ.get("FIELDFARE_ARCHIVE")
        else None,
        host=host,
        port=port,
        public_url=_url(environ, "FIELDFARE_PUBLIC_URL", f"http://127.0.0.1:{port}"),
        stripe_key=_secret(environ, "FIELDFARE_STRIPE_KEY"),
        stripe_url=_url(environ, "FIELDFARE_STRIPE_URL", "https://api.stripe.com"),
        # Below the time for which a request counts as being under way: `payments.rules`.
        stripe_timeout_s=_whole(environ, "FIELDFARE_STRIPE_TIMEOUT", default=25, low=1, high=28),
        stripe_calls_per_second=_whole(
            environ, "FIELDFARE_STRIPE_CALLS_PER_SECOND", default=25, low=1, high=1_000
        ),
        stripe_webhook_secret=_secret(environ, "FIELDFARE_STRIPE_WEBHOOK_SECRET"),
        certificate_key=_secret(environ, "FIELDFARE_CERTIFICATE_KEY"),
        rates_url=environ.get("FIELDFARE_RATES_URL") or None,
        smtp_host=environ.get("FIELDFARE_SMTP_HOST") or None,
        smtp_port=_whole(environ, "FIELDFARE_SMTP_PORT", default=587, low=1, high=65_535),
        smtp_security=_one_of(environ, "FIELDFARE_SMTP_SECURITY", ("starttls", "tls", "plain")),
        smtp_user=environ.get("FIELDFARE_SMTP_USER") or None,
        smtp_password=_secret(environ, "FIELDFARE_SMTP_PASSWORD"),
        mail_from=environ.get("FIELDFARE_MAIL_FROM") or "Fieldfare <receipts@localhost>",
        seller_name=environ.get("FIELDFARE_SELLER_NAME") or "Fieldfare",
        refills_per_day=_whole(environ, "FIELDFARE_REFILLS_PER_DAY", default=5, low=1, high=100),
        adjust_alone_up_to_cents=100
        * _whole(environ, "FIELDFARE_ADJUST_ALONE_UP_TO", default=100, low=0, high=1_000_000),
        processes=_processes(environ),
        pool_size=_whole(environ, "FIELDFARE_POOL_SIZE", default=10, low=2, high=200),
        metrics_port=_metrics_port(environ, port),
        metrics_host=environ.get("FIELDFARE_METRICS_HOST") or "127.0.0.1",
        traces_url=_traces_url(environ),
        rate_per_second=of_account.per_second,
        rate_burst=of_account.burst,
        address_rate_per_second=of_address.per_second,
        address_rate_burst=of_address.burst,
        trusted_proxies=_networks(environ, "FIELDFARE_TRUSTED_PROXIES"),
        log_level=_one_of(environ, "FIELDFARE_LOG_LEVEL", ("info", "debug", "warning", "error")),
    )


def read_operator_password(environ: Mapping[str, str] = os.environ) -> str | None:
    """`FIELDFARE_OPERATOR_PASSWORD`, for a command that has to know who gives it; None if unset.

    Apart from the settings: no server needs it. Raises `SettingsRefused`.
    """
    return _secret(environ, "FIELDFARE_OPERATOR_PASSWORD")


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


def _url(environ: Mapping[str, str], name: str, default: str) -> str:
    url = (environ.get(name) or default).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise SettingsRefused(f"{name} must start with http:// or https://, not {url!r}")
    return url


def _processes(environ: Mapping[str, str]) -> int | None:
    if not environ.get("FIELDFARE_PROCESSES"):
        return None
    return _whole(environ, "FIELDFARE_PROCESSES", default=1, low=1, high=64)


def _metrics_port(environ: Mapping[str, str], port: int) -> int | None:
    if not environ.get("FIELDFARE_METRICS_PORT"):
        return None
    chosen = _whole(environ, "FIELDFARE_METRICS_PORT", default=0, low=1, high=65_535)
    if chosen == port:
        raise SettingsRefused(
            f"FIELDFARE_METRICS_PORT is {chosen}, and so is FIELDFARE_PORT; metrics are for "
            "operators only: give them a port of their own"
        )
    return chosen


def _traces_url(environ: Mapping[str, str]) -> str | None:
    for name in ("FIELDFARE_TRACES_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        if environ.get(name):
            url = _url(environ, name, "")
            return url if url.endswith(TRACES_PATH) else url + TRACES_PATH
    return None


def _limit(environ: Mapping[str, str], prefix: str) -> Limit:
    rate_name, burst_name = f"{prefix}_PER_SECOND", f"{prefix}_BURST"
    rate = _whole(environ, rate_name, default=200, low=1, high=1_000_000)
    burst = _whole(environ, burst_name, default=max(1_000, rate), low=1, high=10_000_000)
    if burst < rate:
        raise SettingsRefused(
            f"{burst_name} must be at least one second's requests, which are {rate} by {rate_name}"
        )
    return Limit(rate, burst)


def _networks(environ: Mapping[str, str], name: str) -> tuple[Network, ...]:
    texts = (text.strip() for text in (environ.get(name) or "").split(","))
    return tuple(_network(name, text) for text in texts if text)


def _network(name: str, text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise SettingsRefused(
            f"{name} takes addresses and networks, such as 10.0.0.7, 10.1.0.0/16 or fd00::/8, "
            f"with commas between them, not {text!r}"
        ) from error
    if network.prefixlen == 0:
        raise SettingsRefused(
            f"{name} must not name everybody, as {text!r} does: any client could then pass for "
            "another; name the proxies in front of the API"
        )
    return network


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
