-- name: find_purchase_of_slug$
-- The purchase whose certificate has this public address.
select purchase_id from orders.certificate_slug where slug = :slug;

-- name: list_certified_lines
-- A paid purchase with its lines by project and whom it was placed for: one statement, so that a
-- refund is in all of it or in none. An order that is not paid has no lines.
select p.id as purchase_id, p.account_id, p.state, p.charge_id, p.certificate_slug, p.paid_at,
    y.on_behalf_of_name, l.project_id, l.standing, l.certification_status, l.mass_mg, l.trees,
    l.refunded_mg, l.refunded_trees
from orders.purchase p
join orders.line l on l.purchase_id = p.id
left join orders.party y on y.purchase_id = p.id
where p.id = :purchase_id and p.paid_at is not null
order by l.project_id, l.id;
