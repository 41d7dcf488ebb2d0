-- name: tell$
-- Writes one row of the outbox, due after `delay`.
select notifications.tell_v1(
    array[:id]::uuid[], array[:topic]::text[], array[:subject_id]::uuid[], :delay::interval
);

-- name: take_due
-- Takes rows that are due out of the outbox, oldest first. Rows that somebody else is just taking are
-- skipped; what has a topic that is not asked for stays.
delete from notifications.outbox
where id = any(array(
    select o.id from notifications.outbox o
    where o.due_at <= now() and o.topic = any(:topics::text[])
    order by o.due_at, o.id
    limit :at_most
    for update skip locked
))
returning id, topic, subject_id;

-- name: list_stranded
-- Topics of rows that are due and not asked for.
select topic, count(*) as rows, min(due_at) as oldest_due_at
from notifications.outbox
where due_at <= now() and topic <> all(:topics::text[])
group by topic
order by topic;
