-- name: find_totals^
-- An account's certified mass, its rank, and how many accounts are ranked: three look-ups by key.
select
    m.certified_mg,
    coalesce(
        (
            select r.rank
            from impact.ranking r
            where r.certified_mg <= m.certified_mg
            order by r.certified_mg desc
            limit 1
        ),
        t.accounts + 1
    ) as rank,
    t.accounts
from (
    select coalesce(max(w.certified_mg), 0) as certified_mg
    from ledger.certified_mg_v1(:account_id) w
) as m
cross join (
    select coalesce(
        (
            select r.rank + r.accounts - 1
            from impact.ranking r
            order by r.certified_mg
            limit 1
        ),
        0
    ) as accounts
) as t;

-- name: refresh_ranking
-- Bring the ranking to what the wallets say; only rows that differ are written.
with counted as materialized (
    select c.certified_mg, c.accounts,
        1 + coalesce(
            sum(c.accounts) over (
                order by c.certified_mg desc
                rows between unbounded preceding and 1 preceding
            ), 0
        )::bigint as rank
    from ledger.count_by_mass_v1() c
),
gone as (
    delete from impact.ranking r
    where not exists (select from counted c where c.certified_mg = r.certified_mg)
    returning 1
),
written as (
    insert into impact.ranking as r (certified_mg, accounts, rank)
    select c.certified_mg, c.accounts, c.rank
    from counted c
    on conflict (certified_mg) do update
    set accounts = excluded.accounts, rank = excluded.rank
    where r.accounts <> excluded.accounts or r.rank <> excluded.rank
    returning 1
)
select (select count(*) from gone) + (select count(*) from written) as rows_changed;
