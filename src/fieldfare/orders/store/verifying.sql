-- name: list_purchases_from
-- Purchases after an id, oldest first, with what their lines are held against.
select id, account_id, kind, state, payment_method, portfolio_id, project_id, mass_mg, trees, unit_price_cents,
    price_revision, amount_cents, charge_minor, currency, rate, tax_rate_ppm, tax_minor, charge_id,
    quote, created_at
from orders.purchase
where id > :after_id
order by id
limit :at_most::integer;

-- name: list_lines_of_purchases
-- Every line of some purchases, in the order of their projects.
select id, purchase_id, account_id, project_id, partner_id, kind, standing, certification_status,
    weight_ppm, unit_price_micro, mass_mg, trees, amount_micro, billed_micro, partner_share_ppm,
    partner_micro, margin_micro
from orders.line
where purchase_id = any(:purchase_ids::uuid[])
order by purchase_id, project_id, id;

-- name: list_charges_of
-- The charges that lead to some purchases.
select charge_id, purchase_id
from orders.charge
where purchase_id = any(:purchase_ids::uuid[])
order by charge_id;

-- name: list_orphan_lines
-- Lines whose purchase is not there: a page of those after an id.
select l.id, l.purchase_id
from orders.line l
left join orders.purchase p on p.id = l.purchase_id
where p.id is null and l.id > :after_id
order by l.id
limit :at_most::integer;

-- name: list_wrongly_refunded
-- Purchases whose refunds do not come to what they say, or whose state is not what that makes it: a
-- page of those after an id. Sums are numeric: a damaged amount may be of any size.
select p.id, p.state, p.charge_minor, p.refunded_minor, coalesce(r.minor, 0) as said_minor
from orders.purchase p
left join (
    select purchase_id, sum(amount_minor) as minor
    from orders.refund
    where state = 'succeeded'
    group by purchase_id
) as r on r.purchase_id = p.id
where p.id > :after_id
    and (
        p.refunded_minor <> coalesce(r.minor, 0)
        or (p.state in ('paid', 'pending', 'failed') and p.refunded_minor <> 0)
        or (p.state = 'refunded') is distinct from (
            p.refunded_minor = p.charge_minor and p.state not in ('disputed', 'pending', 'failed')
        )
        or (p.state = 'partly_refunded' and p.refunded_minor = 0)
        or (p.state = 'refunded') is distinct from (p.refunded_at is not null)
    )
order by p.id
limit :at_most::integer;

-- name: list_wrongly_refunded_lines
-- Lines whose parts in refunds do not come to what they say, are more than there was, or not all of it
-- though all of their purchase was refunded: a page of those after an id.
select l.id, l.mass_mg, l.trees, l.amount_micro, l.partner_micro, l.refunded_mg, l.refunded_trees,
    l.refunded_micro, l.refunded_at, p.refunded_minor = p.charge_minor as is_whole,
    coalesce(r.mass_mg, 0) as said_mg, coalesce(r.trees, 0) as said_trees,
    coalesce(r.amount_micro, 0) as said_micro, coalesce(r.partner_micro, 0) as said_partner_micro
from orders.line l
join orders.purchase p on p.id = l.purchase_id
left join (
    select f.line_id, sum(f.mass_mg) as mass_mg, sum(f.trees) as trees,
        sum(f.amount_micro) as amount_micro, sum(f.partner_micro) as partner_micro
    from orders.refund_line f
    group by f.line_id
) as r on r.line_id = l.id
where l.id > :after_id
    and (
        (l.refunded_mg, l.refunded_trees, l.refunded_micro) is distinct from (
            coalesce(r.mass_mg, 0), coalesce(r.trees, 0), coalesce(r.amount_micro, 0)
        )
        or l.refunded_mg > l.mass_mg or l.refunded_trees > l.trees
        or l.refunded_micro > l.amount_micro or coalesce(r.partner_micro, 0) > l.partner_micro
        or (
            p.refunded_minor = p.charge_minor
            and (l.refunded_mg, l.refunded_trees, l.refunded_micro, coalesce(r.partner_micro, 0))
                is distinct from (l.mass_mg, l.trees, l.amount_micro, l.partner_micro)
        )
        or (l.refunded_at is not null) is distinct from (
            l.refunded_mg = l.mass_mg and l.refunded_trees = l.trees
            and l.refunded_micro = l.amount_micro
            and (l.amount_micro > 0 or p.refunded_minor = p.charge_minor)
        )
    )
order by l.id
limit :at_most::integer;

-- name: list_refunds_from
-- Refunds after an id, oldest first, with what their purchases say.
select r.id, r.purchase_id, r.account_id, r.origin, r.state, r.amount_minor, r.currency, r.amount_micro,
    r.mass_mg, r.trees, p.id is not null as has_purchase, p.account_id as purchase_account_id,
    p.currency as purchase_currency, p.payment_method, p.state as purchase_state
from orders.refund r
left join orders.purchase p on p.id = r.purchase_id
where r.id > :after_id
order by r.id
limit :at_most::integer;

-- name: list_refund_lines_of
-- The parts of some refunds, with what their lines say.
select f.refund_id, f.line_id, f.project_id, f.partner_id, f.mass_mg, f.trees, f.amount_micro,
    f.partner_micro, f.margin_micro, l.purchase_id, l.project_id as line_project_id,
    l.partner_id as line_partner_id
from orders.refund_line f
left join orders.line l on l.id = f.line_id
where f.refund_id = any(:refund_ids::uuid[])
order by f.refund_id, f.line_id;

-- name: list_refunds_of_ids
-- Those of some ids that are a refund's.
select id, purchase_id, state, amount_minor from orders.refund where id = any(:ids::uuid[]);

-- name: list_disputed_from
-- Purchases that are disputed: a page of those after an id.
select id from orders.purchase where state = 'disputed' and id > :after_id
order by id
limit :at_most::integer;

-- name: list_lost_from
-- What lost disputes took of purchases: a page of those after an id.
select id, purchase_id
from orders.refund
where origin = 'dispute' and id > :after_id
order by id
limit :at_most::integer;

-- name: list_states_of_ids
select id, state from orders.purchase where id = any(:purchase_ids::uuid[]);
