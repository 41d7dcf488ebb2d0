-- name: find_balance_import^
-- How far the processor's balance transactions are on record, and the ends of what is there.
select (select complete_to from payments.balance_import) as complete_to,
    (select min(created_at) from payments.balance_transaction) as oldest_at,
    (select max(created_at) from payments.balance_transaction) as newest_at;

-- name: update_balance_import!
-- It never goes back: another import may have been faster.
insert into payments.balance_import as i (complete_to) values (:complete_to)
on conflict (is_current) do update set complete_to = excluded.complete_to
where i.complete_to < excluded.complete_to;

-- name: lock_balance!
-- One import writes at a time; readers are not held up.
lock table payments.balance_transaction in share row exclusive mode;

-- name: insert_transactions
-- Balance transactions that are not on record yet; gives those.
insert into payments.balance_transaction (
    transaction_id, kind, role, source_id, amount_minor, fee_minor, net_minor, currency,
    exchange_rate, created_at, movement_id, recorded_at
)
select t.transaction_id, t.kind, t.role, t.source_id, t.amount_minor, t.fee_minor, t.net_minor,
    t.currency, t.exchange_rate, t.created_at, t.movement_id, now()
from unnest(
    :transaction_ids::text[], :kinds::text[], :roles::text[], :source_ids::text[],
    :amounts_minor::bigint[], :fees_minor::bigint[], :nets_minor::bigint[], :currencies::text[],
    :exchange_rates::numeric[], :created_ats::timestamptz[], :movement_ids::uuid[]
) as t (
    transaction_id, kind, role, source_id, amount_minor, fee_minor, net_minor, currency,
    exchange_rate, created_at, movement_id
)
on conflict (transaction_id) do nothing
returning transaction_id;

-- name: match_transactions
-- Of some balance transactions, those whose payment, refund or dispute is known by now: noted, with
-- what it says that moved. No more of them stand for a source than the times that it moved.
with waiting as (
    select t.transaction_id, s.moved_minor, s.currency, s.times,
        row_number() over (
            partition by t.source_id, t.role order by t.created_at, t.transaction_id
        ) as place,
        (
            select count(*) from payments.balance_transaction o
            where o.source_id = t.source_id and o.role = t.role and o.source_minor is not null
        ) as matched
    from payments.balance_transaction t
    join payments.balance_source s on s.source_id = t.source_id and s.role = t.role
    where t.transaction_id = any(:transaction_ids::text[]) and t.source_minor is null
)
update payments.balance_transaction t
set source_minor = w.moved_minor, source_currency = w.currency
from waiting w
where t.transaction_id = w.transaction_id and w.matched + w.place <= w.times
returning t.transaction_id;

-- name: list_transactions
-- Some balance transactions, as they are to be booked.
select transaction_id, role, source_id, amount_minor, fee_minor, currency, source_minor,
    source_currency, movement_id
from payments.balance_transaction
where transaction_id = any(:transaction_ids::text[])
order by transaction_id;

-- name: list_unmatched
-- Balance transactions that nothing of ours explains yet: a page of those after an id.
select transaction_id
from payments.balance_transaction
where source_minor is null and role not in ('fee', 'bank') and transaction_id > :after_id
order by transaction_id
limit :at_most::integer;

-- name: list_unexplained
-- Of those, what a person has to look at: not what cancels out, waits for a refund to end, or is told
-- of on the list of exceptions already, be it as the source of what was done about another one.
select t.transaction_id, t.kind, t.source_id, t.amount_minor, t.currency
from payments.balance_transaction t
where t.source_minor is null and t.role not in ('fee', 'bank')
    and (t.role = 'other' or t.recorded_at <= now() - :patience::interval)
    and not exists (
        select from payments.refund r where r.refund_id = t.source_id and r.state = 'pending'
    )
    and not exists (
        select from payments.balance_transaction o
        where o.source_id = t.source_id and o.source_minor is null
        having sum(o.amount_minor) = 0
    )
    and not exists (
        select from payments.exception e
        where e.subject in (t.transaction_id, t.source_id)
            or position(t.source_id in e.resolution) > 0
    )
order by t.transaction_id
limit :at_most::integer;

-- name: list_unmet_sources
-- Our payments, refunds and disputes whose movement the processor's balance does not show, or not as
-- often as it happened: a page of those after one.
select s.source_id, s.role, s.row_id, s.moved_minor, s.currency, s.times, m.matched
from payments.balance_source s
left join lateral (
    select count(*) as matched from payments.balance_transaction t
    where t.source_id = s.source_id and t.role = s.role and t.source_minor is not null
) as m on true
where s.is_due and s.moved_at <= :moved_by and m.matched < s.times
    and (s.role, s.row_id) > (:after_role, :after_row_id)
order by s.role, s.row_id
limit :at_most::integer;

-- name: list_balance_totals
-- In each currency what the processor's record comes to, and what our own rows say that it does not
-- show yet. Sums are numeric: a damaged amount may be of any size.
select currency, sum(net_minor) as net_minor, sum(unmet_minor) as unmet_minor
from (
    select currency, net_minor::numeric as net_minor, 0::numeric as unmet_minor
    from payments.balance_transaction
    union all
    select s.currency, 0, s.moved_minor::numeric * s.times
    from payments.balance_source s
    where s.is_due
    union all
    select t.source_currency, 0, -t.source_minor::numeric
    from payments.balance_transaction t
    where t.source_minor is not null and t.role <> 'refund_failure'
) as part
group by currency
order by currency;

-- name: list_card_totals
-- What cards were charged for purchases, in each currency, and the price of that in US cents: there
-- is no other record of its side in the books than the payment.
select currency, sum(amount_minor::numeric) as charged_minor, sum(amount_cents::numeric) as price_cents
from payments.payment
where subject = 'purchase' and state = 'succeeded'
group by currency
order by currency;
