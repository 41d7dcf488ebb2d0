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

-- name: list_payments_at_no_rate
-- Those of some payments whose rate was never that of their currency.
select p.id
from payments.payment p
where p.id = any(:payment_ids::uuid[]) and p.rate <> 1
    and not exists (
        select from payments.exchange_rate e
        where e.currency = p.currency and e.rate = p.rate and e.rate_on = p.rate_on
    );

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

-- name: list_entries_of_top_ups
-- Those of some entries of the ledger that a top-up names as its own.
select entry_id from payments.top_up where entry_id = any(:entry_ids::uuid[]);

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
-- Of some payments, what may have gone back beyond what was bought: refunds that came back to us and can
-- be made once more, and what a bank took. The sum is numeric: a damaged amount may be of any size.
select payment_id, sum(amount_minor) as returned_minor
from (
    select payment_id, amount_minor from payments.refund
    where payment_id = any(:payment_ids::uuid[]) and state = 'succeeded' and failure_code is not null
    union all
    select payment_id, amount_minor from payments.dispute
    where payment_id = any(:payment_ids::uuid[]) and state = 'lost'
) as part
group by payment_id;

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

-- name: list_known_movements
-- Those of some movements that are a balance transaction's.
select movement_id from payments.balance_transaction where movement_id = any(:movement_ids::uuid[]);
