"""Partitions for months that have gone by, as a house has them that opened long ago.

A new house keeps everything before its first December in one partition. A history over many months
would all lie in there, and no query would meet what an old house's queries meet.
"""

import psycopg
from psycopg import sql

_RECUT = """
do $$
declare
    parent text;
    child text;
    told record;
    month timestamp;
    opened constant timestamp := date_trunc('month', now()) - make_interval(months => {months});
begin
    for parent in select p.parent from db.partitioned p loop
        execute format('alter table %s detach partition %s', parent, parent || '_first');
        execute format(
            'alter table %s attach partition %s for values from (minvalue) to (%L)',
            parent, parent || '_first', db.uuid_floor_v1(opened at time zone 'UTC')
        );
        for month in
            select m
            from generate_series(opened, date_trunc('month', now()), interval '1 month') as m
        loop
            child := parent || to_char(month, '_YYYY_MM');
            -- Those of the months ahead are there already.
            if to_regclass(child) is null then
                execute format(
                    'create table %s partition of %s for values from (%L) to (%L)',
                    child, parent, db.uuid_floor_v1(month at time zone 'UTC'),
                    db.uuid_floor_v1((month + interval '1 month') at time zone 'UTC')
                );
                -- As for the months that the product makes: this is not taken over by itself.
                for told in
                    select a.attname, array_to_string(a.attoptions, ', ') as options
                    from pg_attribute a
                    where a.attrelid = parent::regclass and a.attoptions is not null
                loop
                    execute format(
                        'alter table %s alter column %I set (%s)', child, told.attname, told.options
                    );
                end loop;
            end if;
        end loop;
    end loop;
end
$$
"""


def cut_past_months(database_url: str, months: int) -> None:
    """Give every large table a partition for each of the last months; nothing is stored yet."""
    with psycopg.connect(database_url) as conn:
        conn.execute("set local timezone = 'UTC'")
        conn.execute(sql.SQL(_RECUT).format(months=sql.Literal(months)))
