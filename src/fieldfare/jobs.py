"""Every job of the product and when it is due, flat; `fieldfare worker` runs them.

A job is due by the clock (`SCHEDULES`) or because something happened: a topic of the outbox
(`TOPICS`). What must hold: a job may run twice, on two machines, or be cut off at any line, and the
next run makes good what is missing; so it locks its row and checks the state in the transaction of
its effect. Whatever a job raises is logged and stops nothing else.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import msgspec
import structlog

from fieldfare.db import held, partitions
from fieldfare.db.pool import DATABASE_DOWN, Database, connection, transaction
from fieldfare.http import idempotency
from fieldfare.impact.jobs import rebuild_feed, refresh_ranking_once
from fieldfare.integrations.mail import MailServer, MailUnavailable, Security
from fieldfare.integrations.stripe.gateway import StripeGateway, close_gateway, open_gateway
from fieldfare.kernel import limits
from fieldfare.kernel.clock import rfc3339
from fieldfare.kernel.errors import Unavailable
from fieldfare.notifications.errors import MailUnderway
from fieldfare.orders import jobs as order_jobs
from fieldfare.orders.service.receipt import send_receipt
from fieldfare.payments.jobs import (
    end_refill,
    refresh_rates_once,
    settle_unsettled_top_up,
    settle_unsettled_top_up_refund,
)
from fieldfare.payments.service import balance
from fieldfare.payments.service.inbox import delete_old_events
from fieldfare.payments.service.pace import pace_of_background
from fieldfare.payments.service.refill_mail import send_refill_failed
from fieldfare.payments.service.refills import sweep_refills
from fieldfare.settings import Settings, SettingsRefused
from fieldfare.telemetry import traces
from fieldfare.telemetry.families import JOB_S

KEYS_AT_ONCE = 5_000
KEY_BATCHES = 2_000
FORGET_MARGIN_HOURS = 24
"""A key outlives its promise by this much, so that a retry at the last minute still meets it."""
UNSET_REST = timedelta(minutes=10)
MAIL_REST = timedelta(minutes=2)
JOB_LOG_KEPT_DAYS = 3
JOB_LOG_AT_ONCE = 10_000
JOB_LOG_BATCHES = 500
REASON_CHARACTERS = 300
_ADDRESS = re.compile(r"[^\s<>\"',:;]+@[^\s<>\"',:;]+")

Outcome: TypeAlias = Mapping[str, int | str]
"""What a job did, as fields for the log."""

_log = structlog.get_logger(__name__)


class JobContext(msgspec.Struct, frozen=True, kw_only=True):
    """What jobs work with; the worker makes one at its start."""

    db: Database
    settings: Settings
    gateway: StripeGateway | None = None
    """None without a key of the card processor: what concerns cards waits."""
    mail: MailServer | None = None
    """None without a mail server: mail waits."""


def make_context(db: Database, settings: Settings) -> JobContext:
    """What jobs work with under these settings; raises `SettingsRefused`."""
    gateway = None
    if settings.stripe_key is not None:
        gateway = open_gateway(
            settings.stripe_key,
            settings.stripe_url,
            request_s=settings.stripe_timeout_s,
            pace=pace_of_background(db, settings.stripe_calls_per_second),
        )
    return JobContext(db=db, settings=settings, gateway=gateway, mail=_mail_server(settings))


async def close_context(ctx: JobContext) -> None:
    """Give back what `make_context` has opened; the database stays open."""
    if ctx.gateway is not None:
        await close_gateway(ctx.gateway)


def _mail_server(settings: Settings) -> MailServer | None:
    if settings.smtp_host is None:
        return None
    try:
        return MailServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            sender=settings.mail_from,
            security=msgspec.convert(settings.smtp_security, Security),
            user=settings.smtp_user,
            password=settings.smtp_password,
        )
    except ValueError as error:
        raise SettingsRefused(f"the settings FIELDFARE_SMTP_… cannot be used: {error}") from error


class TryLater(Exception):
    """Raised by a topic's job that cannot finish yet, through no fault of its own.

    It runs again after `delay`, and that does not count as a failure.
    """

    def __init__(self, delay: timedelta, reason: str = "it is too early") -> None:
        super().__init__(reason)
        self.delay = delay


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often a job may fail before it is held for an operator, and how long it rests."""

    tries: int = 10
    first_s: float = 1.0
    longest_s: float = 3_600.0


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is due because of a row of the outbox: `fieldfare.notifications`."""

    name: str
    """As it stands in the outbox; what an earlier release has written keeps its meaning."""
    run: Callable[[JobContext, UUID], Awaitable[None]]
    """Takes the id of the subject: a purchase, a payment, an event."""
    retry: Retry = Retry()
    concurrency: int = 8
    """How many of it run at once, all workers together: a slow topic holds up no other."""
    limit_s: float = 60.0
    """After this it is cut off, which counts as a failure."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A job that comes again and again; among all workers each time is given to one."""

    name: str
    cron: str
    """Minute, hour, day, month, weekday in UTC; a sixth field would be seconds."""
    run: Callable[[JobContext], Awaitable[Outcome]]
    limit_s: float
    """After this it is cut off; the next run starts where it was."""
    at_start: bool = False
    """Whether every worker also runs it when it starts."""


async def make_partitions(ctx: JobContext) -> Outcome:
    """Lay out the partitions of the months to come, each month's in a transaction of its own.

    First it tells of tables that are about to run out of them: then it has failed for months.
    """
    async with connection(ctx.db) as conn:
        for found in await partitions.list_running_out(conn):
            _log.error("partitions_run_out", table=found.table, until=rfc3339(found.until))
    made = 0
    for months_ahead in range(partitions.MONTHS_AHEAD + 1):
        async with transaction(ctx.db) as conn:
            made_now = await partitions.make_partitions(conn, months_ahead)
        if made_now is None:
            return {"partitions_made": made, "skipped": "another worker is at it"}
        made += made_now
    return {"partitions_made": made}


async def refresh_ranking(ctx: JobContext) -> Outcome:
    """Bring the ranking to what the wallets say."""
    changed = await refresh_ranking_once(ctx.db)
    return {"skipped": "another worker is at it"} if changed is None else {"pages_changed": changed}


async def forget_old_keys(ctx: JobContext) -> Outcome:
    """Delete answered idempotency keys whose time is over, in short transactions."""
    hours = limits.IDEMPOTENCY_KEPT_HOURS + FORGET_MARGIN_HOURS
    forgotten = 0
    for _ in range(KEY_BATCHES):
        async with transaction(ctx.db) as conn:
            gone = await idempotency.forget_old_keys(
                conn, older_than_hours=hours, at_most=KEYS_AT_ONCE
            )
        forgotten += gone
        if gone < KEYS_AT_ONCE:
            break
    return {"keys_forgotten": forgotten}


async def trim_job_log(ctx: JobContext) -> Outcome:
    """Delete what the queue noted of jobs that are long done, in short transactions."""
    trimmed = 0
    for _ in range(JOB_LOG_BATCHES):
        async with transaction(ctx.db) as conn:
            gone = await held.trim_log(
                conn, older_than=timedelta(days=JOB_LOG_KEPT_DAYS), at_most=JOB_LOG_AT_ONCE
            )
        trimmed += gone
        if gone < JOB_LOG_AT_ONCE:
            break
    return {"rows_trimmed": trimmed}


async def trim_inbox(ctx: JobContext) -> Outcome:
    """Delete the processor's events that were worked on long ago."""
    return {"events_deleted": await delete_old_events(ctx.db, datetime.now(UTC))}


async def build_public_feed(ctx: JobContext) -> Outcome:
    """Build the public feed of the hour."""
    return {"rows": await rebuild_feed(ctx.db, datetime.now(UTC))}


async def refresh_rates(ctx: JobContext) -> Outcome:
    """Take over the day's exchange rates."""
    recorded = await refresh_rates_once(ctx.db, ctx.settings.rates_url, now=datetime.now(UTC))
    refused = ",".join(rate.currency for rate in recorded.refused)
    return {"rates_written": len(recorded.written), **({"refused": refused} if refused else {})}


async def settle_unsettled(ctx: JobContext, purchase_id: UUID) -> None:
    """The timer of a card order."""
    await order_jobs.settle_unsettled(ctx.db, _gateway(ctx), purchase_id)


async def settle_refund(ctx: JobContext, refund_id: UUID) -> None:
    """The timer of an order's refund."""
    await order_jobs.settle_unsettled_refund(ctx.db, _gateway(ctx), refund_id)


async def settle_top_up(ctx: JobContext, top_up_id: UUID) -> None:
    """The timer of a top-up."""
    await settle_unsettled_top_up(ctx.db, _gateway(ctx), top_up_id)


async def settle_top_up_refund(ctx: JobContext, refund_id: UUID) -> None:
    """The timer of a top-up's refund."""
    await settle_unsettled_top_up_refund(ctx.db, _gateway(ctx), refund_id)


async def work_stripe_event(ctx: JobContext, event_row: UUID) -> None:
    """An event of the processor's inbox."""
    await order_jobs.work_event(ctx.db, _gateway(ctx), event_row)


async def send_due_receipt(ctx: JobContext, purchase_id: UUID) -> None:
    """The receipt of a paid order."""
    with _mail(ctx) as server:
        await send_receipt(
            ctx.db,
            server,
            purchase_id,
            public_url=ctx.settings.public_url,
            seller_name=ctx.settings.seller_name,
        )


@contextlib.contextmanager
def _mail(ctx: JobContext) -> Iterator[MailServer]:
    if ctx.mail is None:
        raise TryLater(UNSET_REST, "no mail server is set: FIELDFARE_SMTP_HOST")
    try:
        yield ctx.mail
    except (MailUnavailable, MailUnderway) as error:
        # A server that is down for a day must not lose a mail: that is no failure of the job's.
        raise TryLater(MAIL_REST, reason_of(error)) from error


async def refill_due(ctx: JobContext, purchase_id: UUID) -> None:
    """An order took its account's credits below the bound for a refill."""
    await order_jobs.refill_after(
        ctx.db, _gateway(ctx), purchase_id, per_day=ctx.settings.refills_per_day
    )


async def refill_ended(ctx: JobContext, top_up_id: UUID) -> None:
    """A refill was paid or failed, or an account has rested after one that failed."""
    await end_refill(ctx.db, _gateway(ctx), top_up_id, per_day=ctx.settings.refills_per_day)


async def tell_refill_failed(ctx: JobContext, failure_id: UUID) -> None:
    """The mail about a refill that came to nothing."""
    with _mail(ctx) as server:
        await send_refill_failed(
            ctx.db,
            server,
            failure_id,
            public_url=ctx.settings.public_url,
            seller_name=ctx.settings.seller_name,
        )


async def refill_low_accounts(ctx: JobContext) -> Outcome:
    """Refill whoever runs low in a way that no order has told of."""
    if ctx.gateway is None:
        return {"skipped": "no card processor"}
    return await sweep_refills(ctx.db, ctx.gateway, per_day=ctx.settings.refills_per_day)


def _gateway(ctx: JobContext) -> StripeGateway:
    if ctx.gateway is None:
        raise TryLater(UNSET_REST, "no key of the card processor is set: FIELDFARE_STRIPE_KEY")
    return ctx.gateway


async def reconcile_recent(ctx: JobContext) -> Outcome:
    """Hold the last hours' charges against their orders."""
    return await _reconcile(ctx, timedelta(hours=6))


async def reconcile_days(ctx: JobContext) -> Outcome:
    """Hold the last days' charges against their orders, should events have been lost for long."""
    return await _reconcile(ctx, timedelta(days=5))


async def _reconcile(ctx: JobContext, back: timedelta) -> Outcome:
    if ctx.gateway is None:
        return {"skipped": "no card processor"}
    return await order_jobs.reconcile(ctx.db, ctx.gateway, back=back)


async def import_balance(ctx: JobContext) -> Outcome:
    """Take the processor's record of our balance into the books."""
    if ctx.gateway is None:
        return {"skipped": "no card processor"}
    return msgspec.structs.asdict(await balance.import_balance(ctx.db, ctx.gateway))


SCHEDULES = (
    Schedule(
        name="make_partitions", cron="7 * * * *", run=make_partitions, limit_s=60, at_start=True
    ),
    Schedule(
        name="refresh_ranking", cron="* * * * *", run=refresh_ranking, limit_s=120, at_start=True
    ),
    Schedule(
        name="build_public_feed", cron="0 * * * *", run=build_public_feed, limit_s=60, at_start=True
    ),
    # The European Central Bank publishes at about 16:00 in Frankfurt, 15:00 UTC in winter.
    Schedule(
        name="refresh_rates", cron="40 15 * * *", run=refresh_rates, limit_s=90, at_start=True
    ),
    Schedule(name="reconcile_recent", cron="17 * * * *", run=reconcile_recent, limit_s=900),
    Schedule(name="reconcile_days", cron="47 3 * * *", run=reconcile_days, limit_s=3_600),
    # After the reconciliation, so that what that has settled is known by now.
    Schedule(name="import_balance", cron="37 * * * *", run=import_balance, limit_s=3_000),
    Schedule(name="refill_low_accounts", cron="*/5 * * * *", run=refill_low_accounts, limit_s=280),
    Schedule(name="forget_old_keys", cron="23 * * * *", run=forget_old_keys, limit_s=900),
    Schedule(name="trim_job_log", cron="41 * * * *", run=trim_job_log, limit_s=900),
    Schedule(name="trim_inbox", cron="53 2 * * *", run=trim_inbox, limit_s=900),
)

TOPICS: tuple[Topic, ...] = (
    Topic(name="payment_unsettled", run=settle_unsettled, limit_s=120),
    Topic(name="refund_unsettled", run=settle_refund, limit_s=120),
    Topic(name="top_up_unsettled", run=settle_top_up, limit_s=120),
    Topic(name="top_up_refund_unsettled", run=settle_top_up_refund, limit_s=120),
    Topic(name="stripe_event", run=work_stripe_event, limit_s=120),
    Topic(name="receipt_due", run=send_due_receipt, limit_s=90),
    Topic(name="refill_due", run=refill_due, limit_s=120),
    Topic(name="refill_ended", run=refill_ended, limit_s=120),
    Topic(name="refill_failed", run=tell_refill_failed, limit_s=90),
)
"""What the outbox may tell of. The workers of an earlier release leave a new topic where it is."""


async def run_job(ctx: JobContext, schedule: Schedule) -> None:
    """Run a job within its limit and log its name, what it did and how long that took."""
    log = _log.bind(job=schedule.name)
    started_at = time.monotonic()
    ended = "failed"
    try:
        with traces.span(f"job {schedule.name}"):
            async with asyncio.timeout(schedule.limit_s):
                outcome = await schedule.run(ctx)
    except (*DATABASE_DOWN, Unavailable) as error:
        # A server that is away is no defect of the job's: its trace would tell nothing.
        log.warning("job_failed", reason=reason_of(error), duration_ms=_ms_since(started_at))
    except Exception:
        log.exception("job_failed", duration_ms=_ms_since(started_at))
    else:
        ended = "done"
        log.info("job_done", duration_ms=_ms_since(started_at), **outcome)
    finally:
        JOB_S.observe(time.monotonic() - started_at, schedule.name, ended)


def rest_s(retry: Retry, failures: int, chance: float) -> float:
    """Seconds to rest after so many failures, 1 or more: twice as long each time, up to a bound.

    `chance`, from 0 to 1, takes up to a fifth off, so that what failed together parts.
    """
    doubled = retry.first_s * 2.0 ** min(failures - 1, 60)
    return min(doubled, retry.longest_s) * (1 - 0.2 * chance)


def reason_of(error: BaseException) -> str:
    """What went wrong, in one short line for logs and lists; it never names a mail address."""
    cause = error.__cause__ if isinstance(error, Unavailable) and error.__cause__ else error
    text = _ADDRESS.sub("[address]", " ".join(str(cause).split()))
    return f"{type(cause).__name__}: {text}"[:REASON_CHARACTERS].removesuffix(": ")


def _ms_since(started_at: float) -> int:
    return round((time.monotonic() - started_at) * 1000)
