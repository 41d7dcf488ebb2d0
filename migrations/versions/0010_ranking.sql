-- The ranking in pages of 128 accounts. With a row for each mass, one account that overtook another
-- changed the rank of all in between: at ten million accounts a refresh could not end within its minute.

-- Nothing is lost: a minute later it is made anew. Programs of before are named as too old by
-- `OLDEST_PROGRAM`.
-- squawk-ignore ban-drop-table
drop table impact.ranking;
-- squawk-ignore ban-drop-function
drop function ledger.count_by_mass_v1();

create function ledger.certified_masses_v1() returns table (certified_mg bigint)
language sql stable
as $$
    select w.certified_mg from ledger.wallet w where w.certified_mg > 0
$$;

comment on function ledger.certified_masses_v1() is
'The certified mass of each account that has any. As a table, so that the planner can put it into the '
'statement that asks.';

create table impact.ranking (
    page bigint primary key,
    highest_mg bigint not null check (highest_mg > 0),
    masses_mg bigint[] not null check (cardinality(masses_mg) between 1 and 128),
    unique (highest_mg, page)
);

comment on table impact.ranking is
'All certified masses, heaviest first, 128 to a page; only the last page has fewer. A job makes it anew; '
'it may be a minute behind.';
comment on column impact.ranking.page is
'Counts from zero: 128 accounts of each page before it have no less than those of this one.';
comment on column impact.ranking.masses_mg is 'Lightest first, so that `width_bucket` finds its way.';
