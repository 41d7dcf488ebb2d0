-- name: find_newest_edition^
-- The edition of an order's certificate that holds, if any was issued.
select number, purchase_id, account_id, edition, figures, purchaser_hash, salt, issued_at
from impact.certificate
where purchase_id = :purchase_id
order by edition desc
limit 1;

-- name: find_edition^
select number, purchase_id, account_id, edition, figures, purchaser_hash, salt, issued_at
from impact.certificate
where number = :number;

-- name: insert_edition$
-- Gives no row if the number is taken.
insert into impact.certificate (
    number, purchase_id, account_id, edition, figures, purchaser_hash, salt, issued_at
)
values (
    :number, :purchase_id, :account_id, :edition, :figures, :purchaser_hash, :salt, :issued_at
)
on conflict (number) do nothing
returning number;

-- name: is_nameless$
select exists (select from impact.nameless_order where purchase_id = :purchase_id);

-- name: insert_nameless!
insert into impact.nameless_order (purchase_id, erased_at)
values (:purchase_id, :erased_at)
on conflict (purchase_id) do nothing;

-- name: erase_salts_of_order$
with gone as (
    update impact.certificate
    set salt = null
    where purchase_id = :purchase_id and salt is not null
    returning 1
)
select count(*) from gone;

-- name: erase_salts$
-- Of an account's certificates, a page of them.
with picked as materialized (
    select number
    from impact.certificate
    where account_id = :account_id and salt is not null
    limit :at_most::integer
),
gone as (
    update impact.certificate c
    set salt = null
    from picked p
    where c.number = p.number
    returning 1
)
select count(*) from gone;
