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
update payments.inbox set done_at = now() where id = :id and done_at is null;

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
