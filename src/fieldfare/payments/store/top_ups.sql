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

-- name: update_top_up_returned!
update payments.top_up
set returned_cents = returned_cents + :change_cents
where id = :top_up_id;

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
