"""After a restore: the processor's lists, held against books that may know less than they say.

What must hold: afterwards each charge and refund there is since the newest payment on record is
settled here or on the list of exceptions; nothing was sent but questions; and no account is
refilled by itself whose card was charged for something that is not on record.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from fieldfare.accounts import service as accounts
from fieldfare.db.pool import Database, connection, transaction
from fieldfare.integrations.stripe.gateway import StripeGateway, list_charged
from fieldfare.integrations.stripe.model import Charged
from fieldfare.integrations.stripe.refunds import list_recent_refunds
from fieldfare.kernel.ids import parse_id
from fieldfare.orders.jobs.bought import find_bought, find_bought_by_charge, settle_bought
from fieldfare.orders.jobs.events import is_settled_by
from fieldfare.orders.jobs.reconciling import reconcile
from fieldfare.orders.service.refund_settling import settle_refund
from fieldfare.payments.service import recovering
from fieldfare.payments.service.top_ups.refund_ends import settle_top_up_refund

ENDS_AFTER = timedelta(minutes=5)
"""Their clock may be ahead of ours by this much."""
State = Literal["settled", "unknown"]


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at the processor."""

    since: datetime
    settled: int
    """Orders, top-ups and refunds that were under way and are settled now."""
    unknown: int
    """Those of which the processor shows nothing yet; they are never sent again."""
    strays: list[Charged]
    """Charges that no order or top-up knows; on the list of exceptions."""
    stray_refunds: int
    refills_off: list[int]
    """Accounts that are not refilled by themselves any more."""


async def recover(db: Database, gateway: StripeGateway) -> Recovered:
    """Read the processor's lists, settle what they prove, list the rest; raises `ProcessorAway`.

    It may be cut off at any line, and done again.
    """
    async with transaction(db) as conn:
        await recovering.forbid_sending_again(conn)
    async with connection(db) as conn:
        since = await recovering.look_from(conn)
    under_way = await _settle_payments(db, gateway)
    await reconcile(db, gateway, back=datetime.now(UTC) - since)
    under_way += await _settle_refunds(db, gateway)
    strays = await _find_strays(db, gateway, since)
    return Recovered(
        since=since,
        settled=under_way.count("settled"),
        unknown=under_way.count("unknown"),
        strays=strays,
        stray_refunds=await _list_stray_refunds(db, gateway, since),
        refills_off=await _switch_refills_off(db, {stray.customer for stray in strays}),
    )


def _state(is_settled: object) -> State:
    return "settled" if is_settled else "unknown"


async def _settle_payments(db: Database, gateway: StripeGateway) -> list[State]:
    async with connection(db) as conn:
        subjects = await recovering.list_pending_subjects(conn)
    ended: list[State] = []
    for subject_id in subjects:
        async with connection(db) as conn:
            bought = await find_bought(conn, subject_id)
        if bought is not None and bought.is_pending:
            ended.append(_state(await settle_bought(db, gateway, bought)))
    return ended


async def _settle_refunds(db: Database, gateway: StripeGateway) -> list[State]:
    async with connection(db) as conn:
        refunds = await recovering.list_pending_refunds(conn)
    ended: list[State] = []
    for refund_id, subject in refunds:
        settle = settle_refund if subject == "purchase" else settle_top_up_refund
        ended.append(_state(await settle(db, gateway, refund_id)))
    return ended


async def _find_strays(db: Database, gateway: StripeGateway, since: datetime) -> list[Charged]:
    """What `reconcile` has put on the list of exceptions, or somebody before it."""
    strays = []
    until = datetime.now(UTC) + ENDS_AFTER
    async for charged in list_charged(gateway, created_from=since, created_to=until):
        subject_id = parse_id(charged.subject_id or "")
        async with connection(db) as conn:
            bought = await find_bought(conn, subject_id) if subject_id else None
        if not is_settled_by(bought, charged) and not (bought and bought.is_pending):
            strays.append(charged)
    return strays


async def _list_stray_refunds(db: Database, gateway: StripeGateway, since: datetime) -> int:
    listed = [seen async for seen in list_recent_refunds(gateway, created_from=since)]
    strays = 0
    for seen in listed:
        if not seen.charge_id or not seen.refund_id:
            continue
        async with transaction(db) as conn:
            if await find_bought_by_charge(conn, seen.charge_id) is None:
                await recovering.open_stray_refund(conn, seen.refund_id, seen.charge_id)
                strays += 1
    return strays


async def _switch_refills_off(db: Database, customers: set[str]) -> list[int]:
    """The refill that a stray charge may have been is not on record, so it would come again."""
    switched_off = []
    async for page in accounts.each_refill(db):
        for refill in page:
            async with transaction(db) as conn:
                card = await accounts.find_card(conn, refill.account_id)
                if card is not None and card.customer in customers:
                    await accounts.switch_refill_off(conn, refill.account_id)
                    switched_off.append(refill.account_id)
    return switched_off
