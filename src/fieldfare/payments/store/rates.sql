-- name: lock_rates!
-- One change of the rates at a time; readers are not held up.
lock table payments.exchange_rate in share row exclusive mode;

-- name: list_rates
-- The rate that holds of each of some currencies: the one recorded last.
select r.currency, r.rate, r.rate_on, r.source, r.recorded_at
from unnest(:currencies::text[]) as c (code)
cross join lateral (
    select e.currency, e.rate, e.rate_on, e.source, e.recorded_at
    from payments.exchange_rate e
    where e.currency = c.code
    order by e.recorded_at desc
    limit 1
) as r
order by r.currency;

-- name: insert_rates!
-- Rates that hold from now on. The clock is read while the table is locked, so that the order of the
-- instants is the order of the commits.
insert into payments.exchange_rate (currency, recorded_at, rate, rate_on, source)
select r.currency, clock_timestamp(), r.rate, r.rate_on, :source
from unnest(:currencies::text[], :rates::numeric[], :rates_on::date[])
    as r (currency, rate, rate_on);
