-- name: find_payment^
select id, subject, subject_id, account_id, amount_minor, currency, amount_cents, customer, request,
    processor_key, first_sent_at, last_sent_at, leased_until, intent_id, charge_id, state,
    failure_code, created_at
from payments.payment
where id = :payment_id;

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

-- name: measure_unknown
-- What was begun over a minute ago and nobody knows the end of, up to a bound: how many of each kind, and
-- for how many seconds the oldest. A refund that the processor knows has its time.
select kind, count(*) as pending, max(extract(epoch from now() - created_at))::float8 as oldest_s
from (
    (
        select subject as kind, created_at from payments.payment
        where state = 'pending' and created_at < now() - interval '1 minute'
        limit :at_most::integer
    )
    union all
    (
        select 'refund', created_at from payments.refund
        where state = 'pending' and refund_id is null and created_at < now() - interval '1 minute'
        limit :at_most::integer
    )
) as p
group by kind;
