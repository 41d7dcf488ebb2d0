-- name: number_receipt$
-- The number of a purchase's receipt, drawn once.
update orders.purchase
set receipt_number = coalesce(receipt_number, nextval('orders.receipt_number'))
where id = :purchase_id
returning receipt_number;

-- name: find_receipt_facts^
-- What a receipt says of a purchase beside its lines.
select id, account_id, state, payment_method, mass_mg, trees, amount_cents, charge_minor, currency,
    rate, rate_on, tax_rate_ppm, tax_minor, seller_tax_id, seller_address, buyer_tax_id,
    buyer_address, charge_id, certificate_slug, paid_at
from orders.purchase
where id = :purchase_id;

-- name: list_receipt_lines
select project_id, kind, mass_mg, trees, billed_micro
from orders.line
where purchase_id = :purchase_id
order by project_id;
