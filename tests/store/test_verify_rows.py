"""`fieldfare verify`: rows that are gone, moved, doubled or gainsaid by others are named."""

import pytest

from fieldfare.db.pool import Connection
from tests.support.damage import damaged, drop_checks, findings

VICTIM = """
    create temporary table victim on commit drop as
    select p.id as purchase, p.account_id as account, e.id as entry, e.number, l.id as line,
        a.id as adjustment, j.id as leg,
        (select r.id from ledger.adjustment_request r order by r.id limit 1) as request
    from (select * from orders.purchase where state = 'paid' order by id limit 1 offset 2) as p
    join ledger.entry e on e.group_id = p.id
    join lateral (
        select id from orders.line where purchase_id = p.id order by project_id limit 1
    ) as l on true
    join lateral (
        select id from ledger.entry where account_id = p.account_id and kind = 'adjustment'
        order by number limit 1
    ) as a on true
    join ledger.journal j on j.movement_id = a.id and j.book = 'credits'
"""
COPY_ENTRY = """
    insert into ledger.entry
    select overlay(e.id::text placing 'ffffffffffff' from 25)::uuid, e.account_id, {number},
        e.kind, e.amount_cents, {balance}, e.group_id, e.description, e.created_at
    from ledger.entry e join victim v on v.entry = e.id
"""
STRUCTURE = [
    pytest.param(
        "delete from orders.line l using victim v where l.id = v.line",
        "orders.purchase id={purchase}",
        id="a line gone",
    ),
    pytest.param(
        "delete from orders.line l using victim v where l.purchase_id = v.purchase",
        "orders.purchase id={purchase}",
        id="all lines gone",
    ),
    pytest.param(
        "delete from orders.purchase p using victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="a purchase gone",
    ),
    pytest.param(
        "delete from orders.purchase p using victim v where p.id = v.purchase",
        "orders.line id={line}",
        id="a purchase gone, its lines left",
    ),
    pytest.param(
        "delete from orders.purchase p using victim v where p.id = v.purchase;"
        "delete from orders.line l using victim v where l.purchase_id = v.purchase",
        "orders.purchase id={purchase}",
        id="a purchase gone with its lines",
    ),
    pytest.param(
        "delete from ledger.entry e using victim v where e.id = v.entry",
        "ledger.entry account_id={account} number={number}",
        id="an entry gone",
    ),
    pytest.param(
        "delete from ledger.entry e using victim v where e.id = v.entry",
        "orders.purchase id={purchase}",
        id="an entry gone, its purchase left",
    ),
    pytest.param(
        "delete from ledger.entry e using victim v where e.account_id = v.account"
        " and e.number = (select entry_count from ledger.wallet where account_id = v.account)",
        "ledger.wallet account_id={account}",
        id="the last entry gone",
    ),
    pytest.param(
        "delete from ledger.entry e using victim v where e.id = v.adjustment",
        "ledger.journal id={leg}",
        id="an adjustment gone",
    ),
    pytest.param(
        COPY_ENTRY.format(number="e.number", balance="e.balance_after_cents"),
        "ledger.entry id={copy}",
        id="an entry twice",
    ),
    pytest.param(
        # As a second debit would be, with all that belongs to it.
        COPY_ENTRY.format(number="w.entry_count + 1", balance="w.balance_cents + e.amount_cents")
        + "join ledger.wallet w on w.account_id = e.account_id;"
        "update ledger.wallet w set entry_count = w.entry_count + 1,"
        " balance_cents = w.balance_cents + e.amount_cents"
        " from victim v join ledger.entry e on e.id = v.entry where w.account_id = v.account",
        "orders.purchase id={purchase}",
        id="paid twice",
    ),
    pytest.param(
        "update orders.purchase p set account_id = 1002 from victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="a purchase of another account",
    ),
    pytest.param(
        "update orders.purchase p set account_id = 1002 from victim v where p.id = v.purchase;"
        "update orders.line l set account_id = 1002 from victim v where l.purchase_id = v.purchase",
        "orders.purchase id={purchase}",
        id="a purchase of another account with its lines",
    ),
    pytest.param(
        "update orders.line l set account_id = 1002 from victim v where l.id = v.line",
        "orders.line id={line}",
        id="a line of another account",
    ),
    pytest.param(
        "update orders.line l set purchase_id = p.id from victim v join orders.purchase p"
        " on p.account_id = v.account and p.id <> v.purchase where l.id = v.line",
        "orders.line id={line}",
        id="a line of another purchase",
    ),
    pytest.param(
        "update orders.line l set project_id = 4711 from victim v where l.id = v.line",
        "orders.line id={line}",
        id="a line of another project",
    ),
    pytest.param(
        "update orders.line l set standing = 'uncertified', kind = 'donation'"
        " from victim v where l.id = v.line",
        "orders.line id={line}",
        id="a line of another kind",
    ),
    pytest.param(
        "update orders.purchase p set state = 'failed' from victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="a paid purchase said to have failed",
    ),
    pytest.param(
        "update orders.purchase p set currency = 'XXX', payment_method = 'stripe'"
        " from victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="a currency that is none",
    ),
    pytest.param(
        "update orders.purchase p set portfolio_id = 4711 from victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="a portfolio that is none",
    ),
    pytest.param(
        "update orders.purchase p set created_at = p.created_at - interval '1 year'"
        " from victim v where p.id = v.purchase",
        "orders.purchase id={purchase}",
        id="bought before there was a price",
    ),
    pytest.param(
        "delete from ledger.wallet w using victim v where w.account_id = v.account",
        "ledger.wallet account_id={account}",
        id="a wallet gone",
    ),
    pytest.param(
        "delete from ledger.wallet w using victim v where w.account_id = v.account;"
        "delete from ledger.entry e using victim v where e.account_id = v.account",
        "ledger.wallet account_id={account}",
        id="a wallet gone with its entries",
    ),
    pytest.param(
        "delete from ledger.journal j using victim v where j.id = v.leg",
        "ledger.entry id={adjustment}",
        id="a leg gone",
    ),
    pytest.param(
        "delete from ledger.journal j using victim v where j.movement_id = v.adjustment",
        "ledger.entry id={adjustment}",
        id="both legs gone",
    ),
    pytest.param(
        "update ledger.adjustment_request r set account_id = 4711"
        " from victim v where r.id = v.request",
        "ledger.adjustment_request id={request}",
        id="an approved adjustment of another account",
    ),
    pytest.param(
        "update ledger.adjustment_request r set entry_id = r.id"
        " from victim v where r.id = v.request",
        "ledger.adjustment_request id={request}",
        id="an approved adjustment whose entry is not there",
    ),
    pytest.param(
        "update ledger.journal j set account_id = 4711 from victim v where j.id = v.leg",
        "ledger.journal id={leg}",
        id="a leg of another account",
    ),
    pytest.param(
        "update ledger.journal j set kind = 'top_up' from victim v where j.id = v.leg",
        "ledger.journal id={leg}",
        id="a leg of another kind",
    ),
    pytest.param(
        "update ledger.journal j set book = 'receivables' from victim v where j.id = v.leg",
        "ledger.wallet account_id={account}",
        id="a debt that the wallet does not know",
    ),
    pytest.param(
        "update ledger.journal j set amount_micro = 7 * j.amount_micro"
        " from victim v where j.movement_id = v.adjustment",
        "ledger.journal id={leg}",
        id="balanced legs of another amount",
    ),
]


@pytest.mark.parametrize(("damage", "named"), STRUCTURE)
async def test_a_row_gone_moved_or_doubled_is_named(
    conn: Connection, damage: str, named: str
) -> None:
    async with damaged(conn):
        await conn.execute(VICTIM)
        victim = await conn.fetchrow("select * from victim")
        assert victim is not None
        before = {row["id"] for row in await conn.fetch("select id from ledger.entry")}
        await conn.execute(damage)
        copies = await conn.fetch("select id from ledger.entry where id <> all($1)", before)
        names = dict(victim) | {"copy": copies[0]["id"] if copies else None}
        found = [str(finding) for finding in await findings(conn)]
        in_short_pages = [str(finding) for finding in await findings(conn, 2)]
    assert [text for text in found if text.startswith(named.format(**names) + ":")], found
    assert sorted(in_short_pages) == sorted(found)


BOUGHT = """
    create temporary table bought on commit drop as
    select t.id as top_up, p.id as payment, t.entry_id as entry,
        (select id from payments.top_up where charge_id = 'ch_4') as other
    from payments.top_up t
    join payments.payment p on p.subject_id = t.id
    where t.charge_id = 'ch_3'
"""
OF_TOP_UPS = [
    pytest.param(
        "delete from payments.top_up t using bought b where t.id = b.top_up",
        ["payments.payment id={payment}", "ledger.entry id={entry}"],
        id="a top-up gone",
    ),
    pytest.param(
        "delete from payments.payment p using bought b where p.id = b.payment",
        ["payments.top_up id={top_up}"],
        id="its payment gone",
    ),
    pytest.param(
        "create temporary table again on commit drop as"
        " select p.* from payments.payment p join bought b on p.id = b.payment;"
        "update again set id = overlay(id::text placing 'ffffffffffff' from 25)::uuid;"
        "insert into payments.payment select * from again",
        ["payments.top_up id={top_up}"],
        id="asked of the card twice",
    ),
    pytest.param(
        "delete from ledger.entry e using bought b where e.id = b.entry",
        ["payments.top_up id={top_up}"],
        id="its entry gone",
    ),
    pytest.param(
        "delete from ledger.journal j using bought b where j.movement_id = b.entry",
        ["payments.top_up id={top_up}", "ledger.entry id={entry}"],
        id="its legs gone",
    ),
    pytest.param(
        "update ledger.journal j set amount_micro = 2 * amount_micro"
        " from bought b where j.movement_id = b.entry and j.currency = 'EUR'",
        ["payments.top_up id={top_up}"],
        id="balanced legs of another charge",
    ),
    pytest.param(
        "update ledger.journal j set book = 'fees'"
        " from bought b where j.movement_id = b.entry and j.book = 'exchange'",
        ["payments.top_up id={top_up}"],
        id="legs in another book",
    ),
    pytest.param(
        "update payments.top_up t set state = 'failed' from bought b where t.id = b.top_up",
        ["payments.top_up id={top_up}", "payments.payment id={payment}"],
        id="a paid one said to have failed",
    ),
    pytest.param(
        "update payments.top_up t set state = 'failed', charge_id = null, entry_id = null"
        " from bought b where t.id = b.top_up",
        ["payments.top_up id={top_up}", "payments.payment id={payment}", "ledger.entry id={entry}"],
        id="a paid one made to have failed",
    ),
    pytest.param(
        "update payments.top_up t set state = 'paid' where t.state = 'pending'",
        ["payments.top_up id={pending}", "payments.payment id={pending_payment}"],
        id="a pending one said to be paid",
    ),
    pytest.param(
        "update payments.top_up t set account_id = 4711 from bought b where t.id = b.top_up",
        ["payments.top_up id={top_up}", "payments.payment id={payment}"],
        id="of another account",
    ),
    pytest.param(
        "update payments.top_up t set charge_id = 'ch_5' from bought b where t.id = b.top_up",
        ["payments.top_up id={top_up}", "payments.payment id={payment}"],
        id="of another charge",
    ),
    pytest.param(
        "update payments.top_up t set entry_id = null from bought b where t.id = b.other;"
        "update payments.top_up t set entry_id = (select e.id from ledger.entry e"
        " where e.kind = 'top_up' and e.id <> b.entry) from bought b where t.id = b.top_up",
        ["payments.top_up id={top_up}", "payments.top_up id={other}", "ledger.entry id={entry}"],
        id="of another's entry",
    ),
    pytest.param(
        "update payments.payment p set subject = 'purchase' from bought b where p.id = b.payment",
        ["payments.top_up id={top_up}", "payments.payment id={payment}"],
        id="its payment said to be an order's",
    ),
    pytest.param(
        "update payments.payment p set currency = 'XXX' from bought b where p.id = b.payment",
        ["payments.top_up id={top_up}", "payments.payment id={payment}"],
        id="a currency that is none",
    ),
    pytest.param(
        "update payments.payment p set rate_on = rate_on + 1 from bought b where p.id = b.payment",
        ["payments.payment id={payment}"],
        id="a rate of another day",
    ),
]


@pytest.mark.parametrize(("damage", "named"), OF_TOP_UPS)
async def test_a_top_up_that_its_records_gainsay_is_named(
    conn: Connection, damage: str, named: list[str]
) -> None:
    async with damaged(conn):
        await drop_checks(conn, "payments.top_up")
        await conn.execute(BOUGHT)
        names = dict(await conn.fetchrow("select * from bought") or {})
        pending = await conn.fetchrow(
            "select t.id as pending, p.id as pending_payment from payments.top_up t"
            " join payments.payment p on p.subject_id = t.id where t.state = 'pending'"
        )
        await conn.execute(damage)
        found = [str(finding) for finding in await findings(conn)]
        in_short_pages = [str(finding) for finding in await findings(conn, 1)]
    rows = {name.format(**names, **dict(pending or {})) for name in named}
    assert rows <= {text.partition(":")[0] for text in found}, found
    assert sorted(in_short_pages) == sorted(found)


async def test_a_change_of_the_catalogue_that_cannot_be_read_is_named(conn: Connection) -> None:
    async with damaged(conn):
        await conn.execute(
            """update catalog.revision set change = '{"prices": 5}' where revision = 1"""
        )
        tables = {finding.table for finding in await findings(conn)}
    assert {"catalog.revision", "orders.purchase"} <= tables
