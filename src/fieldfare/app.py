"""`create_app`: the only place where the parts are put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from litestar import Litestar
from litestar.datastructures import State
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.static_files import create_static_files_router

from fieldfare.accounts.service import find_principal
from fieldfare.catalog.service import CatalogueCache, preset_catalogue
from fieldfare.db.changes import ChangeFeed, following
from fieldfare.db.pool import Database, watch_pool
from fieldfare.db.revision import open_migrated_database
from fieldfare.http.auth import TokenCache
from fieldfare.http.door import Door
from fieldfare.http.edge import Edge, handlers_of
from fieldfare.http.limits.buckets import SharedBuckets
from fieldfare.http.limits.gate import Gate
from fieldfare.http.limits.heartbeat import Heartbeat, beating
from fieldfare.http.middleware import Journal, RequestLog
from fieldfare.http.ready import FindReady, ReadyAnswers
from fieldfare.http.refusals import EXCEPTION_HANDLERS
from fieldfare.http.server import Application
from fieldfare.impact.errors import CertificateKeyRefused
from fieldfare.impact.service.certificates import LiveCertificateDesk
from fieldfare.impact.service.feed import FeedCache, FeedDesk
from fieldfare.impact.service.history import LiveHistoryDesk
from fieldfare.impact.service.keys import KeyCache, publish_key
from fieldfare.impact.service.printing import Printer
from fieldfare.impact.service.signing import Signer, read_signer
from fieldfare.integrations.stripe.gateway import close_gateway, open_gateway
from fieldfare.integrations.typst import Typesetter
from fieldfare.orders.service.desk import LiveOrderDesk
from fieldfare.orders.service.group_commit import GroupCommit
from fieldfare.orders.service.history import Beginning, PageTurns
from fieldfare.payments.service.inbox import LiveEventDesk
from fieldfare.payments.service.pace import pace_of_requests
from fieldfare.payments.service.rates import RateCache
from fieldfare.payments.service.top_ups import LiveTopUpDesk
from fieldfare.routes import ROUTES
from fieldfare.sandbox.desk import SandboxDesk
from fieldfare.settings import Settings, SettingsRefused
from fieldfare.telemetry.families import CALLS_WAITING, ORDERS_WAITING

STATIC = Path(__file__).parent / "web" / "static"
ORDER_PATHS = frozenset(route.path for route in ROUTES if route.is_order)
PATHS = frozenset(route.path for route in ROUTES if "{" not in route.path)


@dataclass(frozen=True)
class LiveDesk(
    LiveOrderDesk, LiveTopUpDesk, LiveHistoryDesk, LiveCertificateDesk, LiveEventDesk, FeedDesk
):
    """Every feature's live desk in one."""


@asynccontextmanager
async def create_app(
    settings: Settings, *, is_stopping: Callable[[], bool] = lambda: False
) -> AsyncIterator[Application]:
    """The application for `settings`, connected for as long as the block runs.

    Once `is_stopping`, and while the shop is closed, every request is refused with 503.

    Raises `SettingsRefused` or `MigrationRefused` if it cannot be: one line with the next step.
    """
    async with _open_edge(settings, is_stopping) as edge:
        journal = Journal(is_written=settings.log_level in {"debug", "info"}, paths=PATHS)
        door = Door(
            _litestar(edge),
            is_stopping=is_stopping,
            is_closed=lambda: edge.feed.is_closed,
            why_busy=edge.live_desk.commits.why_busy,
            order_paths=ORDER_PATHS,
        )
        ready = ReadyAnswers(
            {} if settings.traces_url else _finders(edge),
            gate=edge.gate,
            journal=journal,
            is_serving=lambda: not (is_stopping() or edge.feed.is_closed),
        )
        yield Application(RequestLog(door, journal), ready)


def _finders(edge: Edge) -> dict[str, FindReady]:
    return {
        route.path: partial(route.find_ready, edge.live_desk)
        for route in ROUTES
        if route.find_ready is not None
    }


class Lean(Litestar):
    """Litestar without its plugins for pydantic and attrs, which describe nothing here.

    It would load them wherever these happen to be installed: a fifth of the time of a start.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def _litestar(edge: Edge) -> Litestar:
    return Lean(
        route_handlers=[
            *handlers_of(ROUTES),
            create_static_files_router(path="/static", directories=[STATIC]),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
        state=State({"edge": edge}),
    )


@asynccontextmanager
async def _open_edge(settings: Settings, is_stopping: Callable[[], bool]) -> AsyncIterator[Edge]:
    if settings.database_url is None:
        raise SettingsRefused(
            "DATABASE_URL is not set; name a PostgreSQL server, or use `fieldfare up`, which "
            "starts one"
        )
    db = await open_migrated_database(
        settings.database_url,
        pool_size=settings.pool_size,
        application="fieldfare-api",
        for_requests=True,
    )
    pace = pace_of_requests(db, settings.stripe_calls_per_second, is_stopping=is_stopping)
    gateway = open_gateway(
        settings.stripe_key or "",
        settings.stripe_url,
        request_s=settings.stripe_timeout_s,
        pace=pace,
    )
    commits = GroupCommit(db)
    watch_pool(db)
    ORDERS_WAITING.watch(commits.waiting)
    CALLS_WAITING.watch(pace.waiting_by_line)
    accounts = SharedBuckets(settings.account_limit)
    try:
        signer = await _open_signer(db, settings.certificate_key)
        async with following(ChangeFeed(db)) as feed, beating(Heartbeat(db, accounts)):
            yield Edge(
                db=db,
                feed=feed,
                tokens=TokenCache(feed, partial(find_principal, db)),
                gate=Gate(accounts, settings.address_limit, settings.trusted_proxies),
                live_desk=LiveDesk(
                    db=db,
                    cache=CatalogueCache(feed, db),
                    public_url=settings.public_url,
                    gateway=gateway,
                    commits=commits,
                    rates=RateCache(feed, db),
                    public_feed=FeedCache(feed, db),
                    page_turns=PageTurns(),
                    beginning=Beginning(),
                    signer=signer,
                    certificate_keys=KeyCache(feed, db),
                    printer=Printer(Typesetter(), seller=settings.seller_name),
                    webhook_secret=settings.stripe_webhook_secret,
                ),
                test_desk=SandboxDesk(preset=preset_catalogue(), public_url=settings.public_url),
            )
    finally:
        await close_gateway(gateway)
        await db.close()


async def _open_signer(db: Database, private_key: str | None) -> Signer | None:
    """What signs certificates, its public key published; None if no key is set."""
    if private_key is None:
        return None
    try:
        signer = read_signer(private_key)
        await publish_key(db, signer, datetime.now(UTC))
    except CertificateKeyRefused as refusal:
        raise SettingsRefused(f"FIELDFARE_CERTIFICATE_KEY cannot be used: {refusal}") from refusal
    return signer
