-- Reads of an account: its certified mass for whoever ranks it, and plans that no account's size misleads.

create function ledger.certified_mg_v1(account bigint) returns table (certified_mg bigint)
language sql stable
as $$
    select w.certified_mg from ledger.wallet w where w.account_id = account
$$;

comment on function ledger.certified_mg_v1(bigint) is
'Certified and external-standard mass of an account, less refunds; no row before its first '
'credit. As a table, so that the planner can put it into the statement that asks.';

-- A plan for any account must not bet on that account having a large part of all rows, as one or two
-- have in a young shop: for an account with none of them, the index of all ids would be read to its end.
-- So the planner is told that accounts are many; it believes that from the next `analyze` on.
do $$
declare
    table_name text;
begin
    for table_name in
        select a.attrelid::regclass::text
        from pg_attribute a
        where a.attname = 'account_id' and (
            a.attrelid in (select p.parent::regclass from db.partitioned p)
            or a.attrelid in (
                select i.inhrelid
                from pg_inherits i
                join db.partitioned p on i.inhparent = p.parent::regclass
            )
        )
    loop
        execute format(
            'alter table %s alter column account_id set (n_distinct = -0.1, n_distinct_inherited = -0.1)',
            table_name
        );
    end loop;
end
$$;

create or replace function db.make_partitions_v1(months_ahead integer) returns integer
language plpgsql
as $$
declare
    table_name text;
    child text;
    told record;
    month timestamp;
    made integer := 0;
    -- Everything before this month lies in the `_first` partitions, made with their tables.
    first_month constant timestamp := '2026-12-01';
begin
    -- Two hosts may come here at once; the second waits and then finds everything made.
    perform pg_advisory_xact_lock(hashtextextended('db.make_partitions', 0));
    for month, table_name in
        select m, p.parent
        from generate_series(
            first_month,
            date_trunc('month', now() at time zone 'UTC') + make_interval(months => months_ahead),
            interval '1 month'
        ) as m
        cross join db.partitioned as p
        order by m, p.parent
    loop
        child := table_name || to_char(month, '_YYYY_MM');
        if to_regclass(child) is null then
            -- Made apart and then attached: attaching blocks neither reads nor writes.
            execute format('create table %s (like %s including all)', child, table_name);
            -- What the planner is told of a column is not taken over by `like`.
            for told in
                select a.attname, array_to_string(a.attoptions, ', ') as options
                from pg_attribute a
                where a.attrelid = table_name::regclass and a.attoptions is not null
            loop
                execute format(
                    'alter table %s alter column %I set (%s)', child, told.attname, told.options
                );
            end loop;
            execute format(
                'alter table %s attach partition %s for values from (%L) to (%L)',
                table_name, child,
                db.uuid_floor_v1(month at time zone 'UTC'),
                db.uuid_floor_v1((month + interval '1 month') at time zone 'UTC')
            );
            made := made + 1;
        end if;
    end loop;
    return made;
end
$$;
