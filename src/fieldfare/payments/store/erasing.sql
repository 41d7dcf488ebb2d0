-- name: find_unfinished^
-- What of an account's money is still under way at the processor.
select
    (
        select count(*) from payments.payment
        where account_id = :account_id and state = 'pending'
    ) as payments,
    (
        select count(*) from payments.refund r
        join payments.payment p on p.id = r.payment_id
        where p.account_id = :account_id and r.state = 'pending'
    ) as refunds,
    (
        select count(*) from payments.dispute d
        join payments.payment p on p.id = d.payment_id
        where p.account_id = :account_id and d.settled_at is null
    ) as disputes;

-- name: list_customers_from
-- Whom an account's payments were asked of, after a payment's id: a page of them.
select id, customer
from payments.payment
where account_id = :account_id and id > :after_id
order by id
limit :at_most::integer;

-- name: list_disputes_of_account
select d.dispute_id
from payments.dispute d
join payments.payment p on p.id = d.payment_id
where p.account_id = :account_id;

-- name: empty_events^
-- Of the inbox after an id, a page: what names one of these ids is emptied if it was worked on, and
-- counted as waiting otherwise. The row itself stays, so that the event is not taken a second time.
with page as materialized (
    select id, payload, done_at
    from payments.inbox
    where id > :after_id
    order by id
    limit :at_most::integer
),
named as materialized (
    select p.id, p.done_at
    from page p
    where exists (
        select from unnest(:named_ids::text[]) as n (id)
        where position(convert_to('"' || n.id || '"', 'UTF8') in p.payload) > 0
    )
),
emptied as (
    update payments.inbox i
    set payload = ''
    from named n
    where i.id = n.id and i.done_at is not null
    returning 1
)
select (select p.id from page p order by p.id desc limit 1) as last_id,
    (select count(*) from emptied) as emptied,
    (select count(*) from named n where n.done_at is null) as waiting;
