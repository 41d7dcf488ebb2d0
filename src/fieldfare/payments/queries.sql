-- name: find_payment_of^
-- The newest payment for a purchase or a top-up.
select id, subject, subject_id, account_id, amount_minor, currency, amount_cents, customer, request,
    processor_key, first_sent_at, last_sent_at, leased_until, intent_id, charge_id, state,
    failure_code, created_at
from payments.payment
where subject_id = :subject_id
order by id desc
limit 1;

-- name: lease_payment$
-- The request may go out once more: noted before it does, and true only if nobody settled the payment,
-- nobody else waits for its answer, and the processor still knows its key.
update payments.payment
set last_sent_at = now(), leased_until = now() + :lease::interval
where id = :payment_id and state = 'pending' and (leased_until is null or leased_until <= now())
    and first_sent_at > now() - :resend_within::interval
returning true;

-- name: lock_sent_again$
-- Whether the request went out more than once; the row is locked, so it does not go out any more before
-- the transaction ends.
select last_sent_at > first_sent_at from payments.payment where id = :payment_id for update;

-- name: update_payment_released!
-- Nobody waits for its answer any longer.
update payments.payment
set leased_until = null
where id = :payment_id and state = 'pending';

-- name: update_payment_succeeded!
update payments.payment
set state = 'succeeded', intent_id = :intent_id, charge_id = :charge_id, settled_at = now(),
    leased_until = null
where id = :payment_id and state = 'pending';

-- name: update_payment_failed!
update payments.payment
set state = 'failed', failure_code = :failure_code, settled_at = now(), leased_until = null
where id = :payment_id and state = 'pending';

-- name: list_payments_of
-- The payments for some purchases or top-ups, to be held against them.
select id, subject, subject_id, account_id, amount_minor, currency, amount_cents, rate, customer,
    request, processor_key, charge_id, state
from payments.payment
where subject_id = any(:subject_ids::uuid[])
order by subject_id, id;

-- name: list_payments_from
-- Payments after an id, oldest first.
select id, subject, subject_id
from payments.payment
where id > :after_id
order by id
limit :at_most::integer;

-- name: insert_event$
-- An event of the processor, once; null if it is there already.
insert into payments.inbox (id, event_id, kind, payload, received_at)
values (:id, :event_id, :kind, :payload, now())
on conflict (event_id) do nothing
returning id;

-- name: lock_event^
select id, event_id, kind, payload, done_at
from payments.inbox
where id = :id
for update;

-- name: find_event^
select id, event_id, kind, payload, done_at
from payments.inbox
where id = :id;

-- name: update_event_done!
-- Events that nothing is done upon (customers, cards, charges) tell much of persons: they are emptied.
update payments.inbox
set done_at = now(),
    payload = case
        when kind ~ '^(payment_intent\.|refund\.|charge\.refund|charge\.dispute\.)' then payload
        else ''
    end
where id = :id and done_at is null;

-- name: open_exception!
-- Once for each subject that is open.
insert into payments.exception (id, kind, subject, detail, opened_at)
values (:id, :kind, :subject, :detail, now())
on conflict (kind, subject) where resolved_at is null do nothing;

-- name: resolve_exceptions!
update payments.exception
set resolved_at = now(), resolution = :resolution
where subject = :subject and resolved_at is null;

-- name: resolve_exception$
-- True if it was open.
update payments.exception
set resolved_at = now(), resolution = :resolution
where id = :id and resolved_at is null
returning true;

-- name: list_open_exceptions
select id, kind, subject, detail, opened_at
from payments.exception
where resolved_at is null
order by opened_at
limit :at_most::integer;

-- name: lock_rates!
-- One change of the rates at a time; readers are not held up.
lock table payments.exchange_rate in share row exclusive mode;

-- name: list_rates
-- The rate that holds of each of some currencies: the one recorded last.
select r.currency, r.rate, r.rate_on, r.source, r.recorded_at
from unnest(:currencies::text[]) as c (code)
cross join lateral (
    select e.currency, e.rate, e.rate_on, e.source, e.recorded_at
    from payments.exchange_rate e
    where e.currency = c.code
    order by e.recorded_at desc
    limit 1
) as r
order by r.currency;

-- name: insert_rates!
-- Rates that hold from now on. The clock is read while the table is locked, so that the order of the
-- instants is the order of the commits.
insert into payments.exchange_rate (currency, recorded_at, rate, rate_on, source)
select r.currency, clock_timestamp(), r.rate, r.rate_on, :source
from unnest(:currencies::text[], :rates::numeric[], :rates_on::date[])
    as r (currency, rate, rate_on);

-- name: open_top_up^
-- Credits that a card is to be charged for: pending, with their payment, the client's key without an
-- answer yet, and a timer that settles them should nobody else; one statement, one commit.
with claimed as materialized (
    select * from http.claim_keys_v1(array[:key_hash::bytea], array[:fingerprint::bytea])
),
opened as materialized (
    select :id::uuid as id, payments.open_top_up_v1(:id, :account_id, :origin, :amount_cents)
    from claimed c
    where c.verdict = 'free'
),
charged as materialized (
    select payments.open_v1(
        :payment_id, 'top_up', o.id, :account_id, :amount_minor, :currency, :amount_cents, :rate,
        :rate_on, :customer, :request, :processor_key, :lease
    )
    from opened o
),
remembered as materialized (
    select http.remember_v1(
        array[:key_hash::bytea], array[:fingerprint::bytea], array[o.id], array[null::smallint],
        array[null::bytea]
    )
    from opened o
),
told as materialized (
    select notifications.tell_v1(
        array[:outbox_id::uuid], array['top_up_unsettled'], array[o.id], :settle_after
    )
    from opened o
)
select c.verdict, c.status, c.answer, c.subject_id,
    (select count(*) from charged) as payments, (select count(*) from remembered) as keys,
    (select count(*) from told) as topics
from claimed c;

-- name: find_top_up^
select id, account_id, origin, amount_cents, state, charge_id, entry_id, returned_cents, created_at,
    settled_at
from payments.top_up
where id = :top_up_id;

-- name: lock_pending_top_up^
-- A top-up that is not settled yet, locked until the transaction ends.
select id, account_id, origin, amount_cents, state, charge_id, entry_id, returned_cents, created_at,
    settled_at
from payments.top_up
where id = :top_up_id and state = 'pending'
for update;

-- name: update_top_up_paid!
update payments.top_up
set state = 'paid', charge_id = :charge_id, entry_id = :entry_id, settled_at = now()
where id = :top_up_id and state = 'pending';

-- name: update_top_up_failed!
update payments.top_up set state = 'failed', settled_at = now()
where id = :top_up_id and state = 'pending';

-- name: list_top_ups_from
-- Top-ups after an id, oldest first: a page of them.
select id, account_id, origin, amount_cents, state, charge_id, entry_id, returned_cents, created_at,
    settled_at
from payments.top_up
where id > :after_id
order by id
limit :at_most::integer;

-- name: list_known_top_ups
-- Those of some ids that are a top-up's.
select id from payments.top_up where id = any(:top_up_ids::uuid[]);

-- name: list_payments_at_no_rate
-- Those of some payments whose rate was never that of their currency.
select p.id
from payments.payment p
where p.id = any(:payment_ids::uuid[]) and p.rate <> 1
    and not exists (
        select from payments.exchange_rate e
        where e.currency = p.currency and e.rate = p.rate and e.rate_on = p.rate_on
    );

-- name: list_entries_of_top_ups
-- Those of some entries of the ledger that a top-up names as its own.
select entry_id from payments.top_up where entry_id = any(:entry_ids::uuid[]);

-- name: find_payment^
select id, subject, subject_id, account_id, amount_minor, currency, amount_cents, customer, request,
    processor_key, first_sent_at, last_sent_at, leased_until, intent_id, charge_id, state,
    failure_code, created_at
from payments.payment
where id = :payment_id;

-- name: insert_refund^
-- Money to be given back, with its frozen request; it counts as sent from now on.
insert into payments.refund (
    id, payment_id, amount_minor, currency, reason, origin, request, processor_key, first_sent_at,
    last_sent_at, leased_until, state, created_at
)
values (
    :id, :payment_id, :amount_minor, :currency, :reason, 'operator', :request, :processor_key, now(),
    now(), now() + :lease::interval, 'pending', now()
)
returning id, payment_id, amount_minor, currency, reason, origin, request, processor_key, first_sent_at,
    last_sent_at, leased_until, refund_id, state, failure_code, created_at, settled_at;

-- name: insert_foreign_refund^
-- Money that was given back in the processor's own dashboard, once; no row if it is on record.
insert into payments.refund (
    id, payment_id, amount_minor, currency, reason, origin, refund_id, state, created_at
)
values (
    :id, :payment_id, :amount_minor, :currency, :reason, 'processor', :refund_id, 'pending', now()
)
on conflict (refund_id) do nothing
returning id, payment_id, amount_minor, currency, reason, origin, request, processor_key, first_sent_at,
    last_sent_at, leased_until, refund_id, state, failure_code, created_at, settled_at;

-- name: find_refund^
select id, payment_id, amount_minor, currency, reason, origin, request, processor_key, first_sent_at,
    last_sent_at, leased_until, refund_id, state, failure_code, created_at, settled_at
from payments.refund
where id = :id;

-- name: lock_refund^
-- Until the transaction ends it is neither sent again nor settled by anybody else.
select id, payment_id, amount_minor, currency, reason, origin, request, processor_key, first_sent_at,
    last_sent_at, leased_until, refund_id, state, failure_code, created_at, settled_at
from payments.refund
where id = :id
for update;

-- name: list_refunds_of_payment
select id, payment_id, amount_minor, currency, reason, origin, request, processor_key, first_sent_at,
    last_sent_at, leased_until, refund_id, state, failure_code, created_at, settled_at
from payments.refund
where payment_id = :payment_id
order by id;

-- name: lease_refund$
-- Its request may go out once more: noted before it does, and true only if nobody settled the refund,
-- nobody else waits for its answer, and the processor still knows its key.
update payments.refund
set last_sent_at = now(), leased_until = now() + :lease::interval
where id = :id and state = 'pending' and (leased_until is null or leased_until <= now())
    and first_sent_at > now() - :resend_within::interval
returning true;

-- name: update_refund_released!
-- Nobody waits for its answer any longer.
update payments.refund
set leased_until = null
where id = :id and state = 'pending';

-- name: update_refund_known!
-- The processor has it, and has not ended it yet.
update payments.refund
set refund_id = :refund_id, leased_until = null
where id = :id and state = 'pending';

-- name: update_refund_succeeded!
-- Also of one that was taken for failed: what the processor did is what is true.
update payments.refund
set state = 'succeeded', refund_id = :refund_id, failure_code = null, settled_at = now(),
    leased_until = null
where id = :id and state <> 'succeeded';

-- name: update_refund_failed!
update payments.refund
set state = 'failed', refund_id = coalesce(refund_id, :refund_id), failure_code = :failure_code,
    settled_at = now(), leased_until = null
where id = :id and state = 'pending';

-- name: update_refund_returned$
-- The money had been given back and is with us again; true the first time.
update payments.refund
set failure_code = :failure_code
where id = :id and state = 'succeeded' and failure_code is null
returning true;

-- name: find_dispute^
select dispute_id, payment_id, amount_minor, currency, state, opened_at
from payments.dispute
where dispute_id = :dispute_id;

-- name: insert_dispute!
insert into payments.dispute (
    dispute_id, payment_id, amount_minor, currency, state, reason, opened_at
)
values (:dispute_id, :payment_id, :amount_minor, :currency, 'open', :reason, :opened_at);

-- name: update_dispute_closed!
update payments.dispute
set state = :state, closed_at = now(), settled_at = now(),
    returns = returns + (:state = 'won')::integer,
    moved_at = case when :state = 'won' then now() else moved_at end
where dispute_id = :dispute_id and state = 'open';

-- name: update_dispute_open!
-- One that was won goes on.
update payments.dispute
set state = 'open', closed_at = null, settled_at = null, withdrawals = withdrawals + 1,
    moved_at = now()
where dispute_id = :dispute_id and state = 'won';

-- name: update_dispute_credits!
update payments.dispute
set credits_cents = :credits_cents
where dispute_id = :dispute_id and state = 'lost';

-- name: list_open_disputes
-- Disputes that are not decided yet, with what they are about, by id: a page of them.
select d.dispute_id, d.amount_minor, d.currency, d.reason, d.opened_at, p.subject, p.subject_id,
    p.account_id, p.charge_id
from payments.dispute d
join payments.payment p on p.id = d.payment_id
where d.state = 'open' and d.dispute_id > :after_id
order by d.dispute_id
limit :at_most::integer;

-- name: list_disputes_from
-- Disputes after an id, to be held against what they are about: a page of them.
select d.dispute_id, d.payment_id, d.amount_minor, d.currency, d.state, d.credits_cents,
    d.withdrawals, d.returns, p.subject, p.subject_id, p.charge_id, p.state as payment_state,
    p.currency as payment_currency
from (
    select dispute_id, payment_id, amount_minor, currency, state, credits_cents, withdrawals, returns
    from payments.dispute
    where dispute_id > :after_id
    order by dispute_id
    limit :at_most::integer
) as d
left join payments.payment p on p.id = d.payment_id
order by d.dispute_id;

-- name: list_disputes_of_subjects
-- Every dispute about some purchases or top-ups.
select d.dispute_id, d.state, p.subject_id
from payments.payment p
join payments.dispute d on d.payment_id = p.id
where p.subject_id = any(:subject_ids::uuid[])
order by d.dispute_id;

-- name: list_top_up_refunds_from
-- Refunds of top-ups after an id, with their payment: a page of them.
select r.id, r.payment_id, r.amount_minor, r.currency, r.state, r.origin, r.request, r.processor_key,
    r.credits_cents, p.subject, p.subject_id, p.charge_id, p.currency as payment_currency
from payments.refund r
join payments.payment p on p.id = r.payment_id
where r.id > :after_id and p.subject = 'top_up'
order by r.id
limit :at_most::integer;

-- name: list_returns_of_top_ups
-- What refunds and lost disputes of some top-ups say of credits that went with them.
select p.subject_id, p.account_id, g.table_name, g.row_key, g.credits_cents
from payments.payment p
join (
    select payment_id, 'payments.refund' as table_name, 'id=' || id as row_key, credits_cents
    from payments.refund
    where state = 'succeeded' and failure_code is null
    union all
    select payment_id, 'payments.dispute', 'dispute_id=' || dispute_id, credits_cents
    from payments.dispute
    where state = 'lost'
) as g on g.payment_id = p.id
where p.subject = 'top_up' and p.subject_id = any(:top_up_ids::uuid[]) and g.credits_cents <> 0
order by p.subject_id, g.row_key;

-- name: list_returns_of_accounts
-- The same of all top-ups of a range of accounts, with what a refund under way holds.
select p.subject_id, p.account_id, g.table_name, g.row_key, g.credits_cents
from payments.payment p
join (
    select payment_id, 'payments.refund' as table_name, 'id=' || id as row_key, credits_cents
    from payments.refund
    where state = 'pending' or (state = 'succeeded' and failure_code is null)
    union all
    select payment_id, 'payments.dispute', 'dispute_id=' || dispute_id, credits_cents
    from payments.dispute
    where state = 'lost'
) as g on g.payment_id = p.id
where p.subject = 'top_up' and g.credits_cents <> 0
    and p.account_id > :above_account_id and p.account_id <= :up_to_account_id
order by p.account_id, g.row_key;

-- name: find_returned^
-- What refunds and disputes have made of a payment. A refund that came back does not count.
select
    (
        (select coalesce(sum(r.amount_minor), 0) from payments.refund r
        where r.payment_id = :payment_id and r.state = 'succeeded' and r.failure_code is null)
        + (select coalesce(sum(d.amount_minor) filter (where d.state = 'lost'), 0)
        from payments.dispute d where d.payment_id = :payment_id)
    )::bigint as gone_minor,
    (select coalesce(sum(r.amount_minor), 0) from payments.refund r
    where r.payment_id = :payment_id and r.state = 'pending' and r.credits_cents is not null
    )::bigint as pending_minor,
    (select coalesce(sum(r.credits_cents), 0) from payments.refund r
    where r.payment_id = :payment_id and r.state = 'pending')::bigint as pending_cents,
    (select count(*) from payments.refund r
    where r.payment_id = :payment_id and r.state = 'pending') as pending_refunds,
    (select count(*) from payments.dispute d
    where d.payment_id = :payment_id and d.state = 'open') as open_disputes;

-- name: find_top_up_of_charge$
-- The top-up that a processor's charge paid for.
select id from payments.top_up where charge_id = :charge_id;

-- name: lock_top_up^
-- A top-up in whichever state, locked until the transaction ends.
select id, account_id, origin, amount_cents, state, charge_id, entry_id, returned_cents, created_at,
    settled_at
from payments.top_up
where id = :top_up_id
for update;

-- name: update_top_up_returned!
update payments.top_up
set returned_cents = returned_cents + :change_cents
where id = :top_up_id;

-- name: find_refund_credits$
-- Of a top-up's refund, the credits that go with it; null if that is not known yet.
select credits_cents from payments.refund where id = :refund_id;

-- name: update_refund_credits!
update payments.refund set credits_cents = :credits_cents where id = :refund_id;

-- name: has_said$
-- Whether this was said of the subject before, however that ended.
select exists (
    select from payments.exception
    where kind = :kind and subject = :subject and detail = :detail
);

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

-- name: lock_balance!
-- One import writes at a time; readers are not held up.
lock table payments.balance_transaction in share row exclusive mode;

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

-- name: list_transactions_from
-- All balance transactions with what their source says now: a page of those after an id.
select t.transaction_id, t.role, t.source_id, t.amount_minor, t.fee_minor, t.net_minor, t.currency,
    t.exchange_rate, t.source_minor, t.source_currency, t.movement_id,
    s.row_id, s.moved_minor, s.currency as moved_currency, s.moved_at
from (
    select transaction_id, role, source_id, amount_minor, fee_minor, net_minor, currency,
        exchange_rate, source_minor, source_currency, movement_id
    from payments.balance_transaction
    where transaction_id > :after_id
    order by transaction_id
    limit :at_most::integer
) as t
left join payments.balance_source s on s.source_id = t.source_id and s.role = t.role
order by t.transaction_id;

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

-- name: list_known_movements
-- Those of some movements that are a balance transaction's.
select movement_id from payments.balance_transaction where movement_id = any(:movement_ids::uuid[]);

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

-- name: list_recent_refills
-- An account's refills of the last 24 hours, and one that is under way however long, newest first.
select t.state, t.settled_at, p.failure_code
from payments.top_up t
join payments.payment p on p.subject_id = t.id
where t.account_id = :account_id and t.origin = 'refill'
    and (t.state = 'pending' or t.created_at > now() - interval '24 hours')
order by t.created_at desc;

-- name: has_newer_refill$
-- Whether a refill that was begun after another one is paid.
select exists (
    select from payments.top_up t
    where t.account_id = :account_id and t.origin = 'refill' and t.state = 'paid'
        and t.created_at > :created_at
);

-- name: find_unfinished^
-- What of an account's money is still under way at the processor.
select
    (
        select count(*) from payments.payment
        where account_id = :account_id and state = 'pending'
    ) as payments,
    (
        select count(*) from payments.refund r
        join payments.payment p on p.id = r.payment_id
        where p.account_id = :account_id and r.state = 'pending'
    ) as refunds,
    (
        select count(*) from payments.dispute d
        join payments.payment p on p.id = d.payment_id
        where p.account_id = :account_id and d.settled_at is null
    ) as disputes;

-- name: list_customers_from
-- Whom an account's payments were asked of, after a payment's id: a page of them.
select id, customer
from payments.payment
where account_id = :account_id and id > :after_id
order by id
limit :at_most::integer;

-- name: list_disputes_of_account
select d.dispute_id
from payments.dispute d
join payments.payment p on p.id = d.payment_id
where p.account_id = :account_id;

-- name: empty_events^
-- Of the inbox after an id, a page: what names one of these ids is emptied if it was worked on, and
-- counted as waiting otherwise. The row itself stays, so that the event is not taken a second time.
with page as materialized (
    select id, payload, done_at
    from payments.inbox
    where id > :after_id
    order by id
    limit :at_most::integer
),
named as materialized (
    select p.id, p.done_at
    from page p
    where exists (
        select from unnest(:named_ids::text[]) as n (id)
        where position(convert_to('"' || n.id || '"', 'UTF8') in p.payload) > 0
    )
),
emptied as (
    update payments.inbox i
    set payload = ''
    from named n
    where i.id = n.id and i.done_at is not null
    returning 1
)
select (select p.id from page p order by p.id desc limit 1) as last_id,
    (select count(*) from emptied) as emptied,
    (select count(*) from named n where n.done_at is null) as waiting;

-- name: delete_old_events$
-- Events that were worked on before an instant; ids tell when they came, so the oldest are found by
-- the key.
with old as (
    select i.id
    from payments.inbox i
    where i.id < :before_id and i.done_at < :done_before
    order by i.id
    limit :at_most::integer
),
gone as (
    delete from payments.inbox i using old o where i.id = o.id returning 1
)
select count(*) from gone;

-- name: list_order_refunds
-- Some refunds of orders, with what their payments say.
select r.id, r.amount_minor, r.currency, r.origin, r.request, r.processor_key, r.refund_id, r.state,
    r.failure_code, p.subject, p.subject_id, p.charge_id, p.id as payment_id
from payments.refund r
left join payments.payment p on p.id = r.payment_id
where r.id = any(:ids::uuid[]);

-- name: list_order_refunds_from
-- Every refund that is not of a top-up: a page of those after an id.
select r.id, r.amount_minor, r.currency, r.origin, r.request, r.processor_key, r.refund_id, r.state,
    r.failure_code, p.subject, p.subject_id, p.charge_id, p.id as payment_id
from payments.refund r
left join payments.payment p on p.id = r.payment_id
where r.id > :after_id and p.subject is distinct from 'top_up'
order by r.id
limit :at_most::integer;

-- name: list_known_refunds
-- Those of some ids that are a refund's.
select id from payments.refund where id = any(:ids::uuid[]);

-- name: list_returned
-- Of some payments, what of their refunds came back to us. The sum is numeric: a damaged amount may be
-- of any size.
select payment_id, sum(amount_minor) as returned_minor
from payments.refund
where payment_id = any(:payment_ids::uuid[]) and state = 'succeeded' and failure_code is not null
group by payment_id;
