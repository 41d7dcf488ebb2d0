-- name: erase_party^
-- What one purchase holds of persons, and the pairs by which it is found.
with parties as (
    delete from orders.party where purchase_id = :purchase_id returning 1
),
tags as (
    delete from orders.tag t
    using orders.purchase p
    where p.id = :purchase_id and t.account_id = p.account_id and t.purchase_id = p.id
    returning 1
)
select (select count(*) from parties) as parties, (select count(*) from tags) as tags;

-- name: erase_parties^
-- The same of an account's purchases after an id, a page of them, but for the pairs.
with page as materialized (
    select id
    from orders.purchase
    where account_id = :account_id and id > :after_id
    order by id
    limit :at_most::integer
),
gone as (
    delete from orders.party y using page p where y.purchase_id = p.id returning 1
)
select (select p.id from page p order by p.id desc limit 1) as last_id,
    (select count(*) from gone) as parties;

-- name: erase_tags$
-- Pairs of an account, whichever come first.
with picked as materialized (
    select account_id, key, value, purchase_id
    from orders.tag
    where account_id = :account_id
    limit :at_most::integer
),
gone as (
    delete from orders.tag t
    using picked k
    where t.account_id = k.account_id and t.key = k.key and t.value = k.value
        and t.purchase_id = k.purchase_id
    returning 1
)
select count(*) from gone;

-- name: count_pending$
-- Purchases and refunds of an account that are not settled yet.
select (
    (select count(*) from orders.purchase where account_id = :account_id and state = 'pending')
    + (select count(*) from orders.refund where account_id = :account_id and state = 'pending')
);

-- name: list_purchases_among
-- Those of some purchases that are an account's.
select id from orders.purchase where id = any(:purchase_ids::uuid[]) and account_id = :account_id;
