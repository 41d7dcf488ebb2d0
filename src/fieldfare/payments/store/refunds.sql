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

-- name: find_refund_credits$
-- Of a top-up's refund, the credits that go with it; null if that is not known yet.
select credits_cents from payments.refund where id = :refund_id;

-- name: update_refund_credits!
update payments.refund set credits_cents = :credits_cents where id = :refund_id;

-- name: list_returned_unheard
-- Charges of refunds whose money the processor's balance shows with us again, though they do not say so.
select distinct p.charge_id
from payments.balance_transaction t
join payments.refund r on r.refund_id = t.source_id
join payments.payment p on p.id = r.payment_id
where t.role = 'refund_failure' and r.state = 'succeeded' and r.failure_code is null
order by p.charge_id
limit :at_most::integer;
