-- name: insert_event$
-- An event of the processor, once; null if it is there already.
insert into payments.inbox (id, event_id, kind, payload, received_at)
values (:id, :event_id, :kind, :payload, now())
on conflict (event_id) do nothing
returning id;

-- name: find_event^
select id, event_id, kind, payload, done_at
from payments.inbox
where id = :id;

-- name: lock_event^
select id, event_id, kind, payload, done_at
from payments.inbox
where id = :id
for update;

-- name: update_event_done!
-- Events that nothing is done upon (customers, cards, charges) tell much of persons: they are emptied.
update payments.inbox
set done_at = now(),
    payload = case
        when kind ~ '^(payment_intent\.|refund\.|charge\.refund|charge\.dispute\.)' then payload
        else ''
    end
where id = :id and done_at is null;

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
