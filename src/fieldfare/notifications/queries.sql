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

-- name: claim_mail$
-- Take a mail up, unless somebody has it, it left, or it was refused. Gives the number of the attempt,
-- or nothing.
insert into notifications.sent as s (message_id, kind, subject_id, attempt, claimed_until)
values (
    :message_id::text, :kind::text, :subject_id::uuid, 1,
    now() + make_interval(secs => :lease_s::double precision)
)
on conflict (message_id) do update
set attempt = s.attempt + 1, claimed_until = excluded.claimed_until
where s.sent_at is null and s.refused_at is null
    and (s.claimed_until is null or s.claimed_until <= now())
returning s.attempt;

-- name: find_mail^
select message_id, kind, subject_id, attempt, claimed_until, sent_at, refused_at, refusal_code
from notifications.sent
where message_id = :message_id;

-- name: update_sent!
-- It left, whoever has the claim by now.
update notifications.sent
set sent_at = now(), claimed_until = null, refused_at = null, refusal_code = null
where message_id = :message_id and sent_at is null;

-- name: update_refused!
-- The server will never take it; unless another attempt was begun since.
update notifications.sent
set refused_at = now(), refusal_code = :refusal_code::smallint, claimed_until = null
where message_id = :message_id and attempt = :attempt::integer and sent_at is null;

-- name: update_released!
-- It may be taken up again at once; unless another attempt was begun since.
update notifications.sent
set claimed_until = null
where message_id = :message_id and attempt = :attempt::integer and sent_at is null;

-- name: measure_outbox^
-- How many rows are due and how many are not yet, each up to a bound, and for how many seconds the oldest
-- has been due.
select
    (select count(*) from (
        select from notifications.outbox where due_at <= now() limit :at_most::integer
    ) as d) as due,
    (select count(*) from (
        select from notifications.outbox where due_at > now() limit :at_most::integer
    ) as l) as later,
    coalesce((
        select extract(epoch from now() - min(due_at))
        from notifications.outbox
        where due_at <= now()
    ), 0)::float8 as oldest_due_s;
