-- name: find_totals^
-- An account's certified mass, its rank, and how many accounts are ranked: three look-ups by key.
-- Of the page on which heavier ones are found last, those count that are heavier, and all before it.
select
    m.certified_mg,
    coalesce(
        (
            select r.page * 128 + cardinality(r.masses_mg)
                - width_bucket(m.certified_mg, r.masses_mg)
            from impact.ranking r
            where r.highest_mg > m.certified_mg
            order by r.highest_mg, r.page desc
            limit 1
        ),
        0
    ) + 1 as rank,
    coalesce(
        (
            select r.page * 128 + cardinality(r.masses_mg)
            from impact.ranking r
            order by r.page desc
            limit 1
        ),
        0
    ) as accounts
from (
    select coalesce(max(w.certified_mg), 0) as certified_mg
    from ledger.certified_mg_v1(:account_id) w
) as m;

-- name: allow_refresh!
-- For the rest of the transaction: ten million masses are sorted in some 15 seconds, if in memory.
select set_config('statement_timeout', '120s', true), set_config('work_mem', '128MB', true);

-- name: refresh_ranking
-- Bring the ranking to what the wallets say; only pages that differ are written.
with placed as (
    select c.certified_mg, row_number() over (order by c.certified_mg desc) - 1 as place
    from ledger.certified_masses_v1() c
),
made as materialized (
    select p.place / 128 as page, max(p.certified_mg) as highest_mg,
        array_agg(p.certified_mg order by p.place desc) as masses_mg
    from placed p
    group by p.place / 128
),
gone as (
    delete from impact.ranking r
    where r.page >= (select count(*) from made)
    returning 1
),
written as (
    insert into impact.ranking as r (page, highest_mg, masses_mg)
    select m.page, m.highest_mg, m.masses_mg
    from made m
    on conflict (page) do update
    set highest_mg = excluded.highest_mg, masses_mg = excluded.masses_mg
    where r.masses_mg <> excluded.masses_mg
    returning 1
)
select (select count(*) from gone) + (select count(*) from written) as pages_changed;
