-- name: list_revisions
-- Every topic's revision; a handful of rows.
select topic, revision from db.change;

-- name: raise_revision$
-- The topic's next revision; the row stays locked until commit, so revisions follow commits.
insert into db.change as c (topic, revision) values (:topic, 1)
on conflict (topic) do update set revision = c.revision + 1
returning revision;

-- name: make_partitions$
-- Monthly partitions of every large table, from this month to that many months ahead.
select db.make_partitions_v1(:months_ahead);

-- name: list_running_out
-- Large tables in which, at some instant from now to that many days ahead, a row would find no attached
-- partition; with the first such instant. Months are looked at where they begin.
select p.parent as table_name, min(w.at) as until
from db.partitioned p
cross join (
    select now() as at
    union all
    select m.month at time zone 'UTC'
    from generate_series(
        date_trunc('month', now() at time zone 'UTC') + interval '1 month',
        now() at time zone 'UTC' + make_interval(days => :days_ahead),
        interval '1 month'
    ) as m (month)
) as w
where not exists (
    select from (
        select substring(b.bounds from 'FROM \(''([0-9a-f-]+)''\)')::uuid as low_id,
            substring(b.bounds from 'TO \(''([0-9a-f-]+)''\)')::uuid as high_id
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        cross join lateral pg_get_expr(c.relpartbound, c.oid) as b (bounds)
        where i.inhparent = p.parent::regclass and not i.inhdetachpending
    ) as held
    -- Without a bound there is none: `minvalue`.
    where coalesce(held.low_id <= db.uuid_floor_v1(w.at), true)
        and coalesce(held.high_id > db.uuid_floor_v1(w.at), true)
)
group by p.parent
order by p.parent;

-- name: find_revision^
-- The revision that the database was migrated to, and the oldest program that works on it, which stands
-- in the comment of the table.
select version_num as revision,
    substring(obj_description('alembic_version'::regclass, 'pg_class') from '\d{4}') as oldest_program
from alembic_version;

-- name: count_connections_allowed$
-- What the server gives to roles without privileges; it keeps a few for the others.
select current_setting('max_connections')::integer
    - current_setting('superuser_reserved_connections')::integer
    - coalesce(current_setting('reserved_connections', true)::integer, 0);

-- name: try_lock$
-- True if this transaction now holds the lock of that name; never waits.
select pg_try_advisory_xact_lock(hashtextextended(:name, 0));

-- name: wait_at_most$
-- From here to its end, this transaction waits no longer than that for a lock.
select set_config('lock_timeout', (:patience_ms::integer)::text, true);

-- name: close_shop!
-- The shop is closed for as long as this row is there.
insert into db.change (topic, revision) values (:topic, 1)
on conflict do nothing;

-- name: open_shop!
delete from db.change where topic = :topic;

-- name: is_closed$
select exists (select from db.change where topic = :topic);
