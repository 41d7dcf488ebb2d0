-- name: find_purchase^
-- An account's purchase by its own id.
select id, account_id, kind, state, payment_method, portfolio_id, project_id, mass_mg, trees,
    amount_cents, charge_minor, currency, charge_id, certificate_slug, created_at, paid_at,
    refunded_at, refunded_minor
from orders.purchase
where id = :purchase_id and account_id = :account_id;

-- name: find_any_purchase^
-- A purchase of whichever account, for settling and for the books.
select id, account_id, kind, state, payment_method, portfolio_id, project_id, mass_mg, trees,
    amount_cents, charge_minor, currency, charge_id, certificate_slug, created_at, paid_at,
    refunded_at, refunded_minor
from orders.purchase
where id = :purchase_id;

-- name: find_purchase_of_charge$
-- The purchase that a processor's charge paid for.
select purchase_id from orders.charge where charge_id = :charge_id;

-- name: list_known_purchases
-- Those of some ids that are a purchase's.
select id from orders.purchase where id = any(:purchase_ids::uuid[]);

-- name: lock_purchase^
-- A purchase of whichever account, locked until the transaction ends.
select id, account_id, kind, state, payment_method, portfolio_id, project_id, mass_mg, trees,
    amount_cents, charge_minor, currency, charge_id, certificate_slug, created_at, paid_at,
    refunded_at, refunded_minor
from orders.purchase
where id = :purchase_id
for update;
