-- name: lock_pending^
-- A purchase that is not settled yet, locked until the transaction ends.
select id, account_id, kind, mass_mg, trees, amount_cents, send_receipt, quote, created_at
from orders.purchase
where id = :purchase_id and state = 'pending'
for update;

-- name: insert_lines!
-- The lines of a purchase that was just paid, out of its frozen quote.
insert into orders.line (
    id, purchase_id, account_id, project_id, partner_id, kind, standing, certification_status,
    weight_ppm, unit_price_micro, mass_mg, trees, amount_micro, billed_micro, partner_share_ppm,
    partner_micro, margin_micro, created_at
)
select l.id, :purchase_id, :account_id, l.project_id, l.partner_id, l.kind, l.standing,
    l.certification_status, l.weight_ppm, l.unit_price_micro, l.mass_mg, l.trees, l.amount_micro,
    l.billed_micro, l.partner_share_ppm, l.partner_micro, l.amount_micro - l.partner_micro,
    :paid_at
from jsonb_to_recordset(:lines::jsonb) as l (
    id uuid, project_id integer, partner_id integer, kind text, standing text, certification_status text,
    weight_ppm integer, unit_price_micro bigint, mass_mg bigint, trees bigint, amount_micro bigint,
    billed_micro bigint, partner_share_ppm integer, partner_micro bigint
);

-- name: update_paid!
update orders.purchase
set state = 'paid', charge_id = :charge_id, paid_at = :paid_at, quote = null
where id = :purchase_id and state = 'pending';

-- name: insert_charge!
insert into orders.charge (charge_id, purchase_id) values (:charge_id, :purchase_id);

-- name: update_failed!
update orders.purchase
set state = 'failed', quote = null
where id = :purchase_id and state = 'pending';
