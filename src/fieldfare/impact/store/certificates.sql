-- name: find_record^
-- The newest edition of an order's certificate, nulls if none was issued, and whether it may name
-- nobody: one statement, because an erasure changes both.
select e.number, w.purchase_id, e.account_id, e.edition, e.figures, e.purchaser_hash, e.salt,
    e.issued_at,
    exists (select from impact.nameless_order n where n.purchase_id = w.purchase_id) as is_nameless
from (select :purchase_id::uuid as purchase_id) as w
left join lateral (
    select number, account_id, edition, figures, purchaser_hash, salt, issued_at
    from impact.certificate c
    where c.purchase_id = w.purchase_id
    order by edition desc
    limit 1
) as e on true;

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
