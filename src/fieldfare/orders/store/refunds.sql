-- name: insert_refund!
-- A refund that the card processor was not heard of about yet.
insert into orders.refund (
    id, purchase_id, account_id, origin, state, amount_minor, currency, reason, request_key, created_at
)
values (
    :id, :purchase_id, :account_id, :origin, 'pending', :amount_minor, :currency, :reason,
    :request_key, now()
);

-- name: write_refund!
-- A refund that takes effect, whether or not it was pending.
insert into orders.refund (
    id, purchase_id, account_id, origin, state, amount_minor, currency, amount_micro, mass_mg, trees,
    reason, request_key, created_at, settled_at
)
values (
    :id, :purchase_id, :account_id, :origin, 'succeeded', :amount_minor, :currency, :amount_micro,
    :mass_mg, :trees, :reason, :request_key, now(), now()
)
on conflict (id) do update
set state = 'succeeded', amount_minor = excluded.amount_minor, amount_micro = excluded.amount_micro,
    mass_mg = excluded.mass_mg, trees = excluded.trees, failure_code = null, settled_at = now();

-- name: insert_refund_lines!
insert into orders.refund_line (
    refund_id, line_id, project_id, partner_id, mass_mg, trees, amount_micro, partner_micro,
    margin_micro, created_at
)
select :refund_id, p.line_id, p.project_id, p.partner_id, p.mass_mg, p.trees, p.amount_micro,
    p.partner_micro, p.amount_micro - p.partner_micro, now()
from unnest(
    :line_ids::uuid[], :project_ids::integer[], :partner_ids::integer[], :masses_mg::bigint[],
    :trees::bigint[], :amounts_micro::bigint[], :partner_micros::bigint[]
) as p (line_id, project_id, partner_id, mass_mg, trees, amount_micro, partner_micro);

-- name: update_lines_refunded!
-- A line that held nothing is refunded with the last of its order.
update orders.line l
set refunded_mg = l.refunded_mg + p.mass_mg, refunded_trees = l.refunded_trees + p.trees,
    refunded_micro = l.refunded_micro + p.amount_micro,
    refunded_at = case
        when l.refunded_micro + p.amount_micro = l.amount_micro
            and l.refunded_mg + p.mass_mg = l.mass_mg
            and l.refunded_trees + p.trees = l.trees
            and (l.amount_micro > 0 or :is_whole::boolean) then now()
    end
from unnest(
    :line_ids::uuid[], :masses_mg::bigint[], :trees::bigint[], :amounts_micro::bigint[]
) as p (line_id, mass_mg, trees, amount_micro)
where l.id = p.line_id;

-- name: update_refund_failed!
update orders.refund
set state = 'failed', failure_code = :failure_code, settled_at = now()
where id = :id and state = 'pending';

-- name: update_purchase_refunded!
update orders.purchase
set refunded_minor = :refunded_minor, state = :state::text,
    refunded_at = case when :state::text = 'refunded' then coalesce(refunded_at, now()) end
where id = :purchase_id;

-- name: find_refund^
select id, purchase_id, account_id, origin, state, amount_minor, currency, amount_micro, mass_mg, trees,
    reason, request_key, failure_code, created_at, settled_at
from orders.refund
where id = :id;

-- name: find_refund_of_key^
-- The refund of a purchase that somebody asked for under a name of their own.
select id, purchase_id, account_id, origin, state, amount_minor, currency, amount_micro, mass_mg, trees,
    reason, request_key, failure_code, created_at, settled_at
from orders.refund
where purchase_id = :purchase_id and request_key = :request_key;

-- name: list_refunds
-- The refunds of a purchase, oldest first.
select id, purchase_id, account_id, origin, state, amount_minor, currency, amount_micro, mass_mg, trees,
    reason, request_key, failure_code, created_at, settled_at
from orders.refund
where purchase_id = :purchase_id
order by created_at, id;

-- name: sum_pending_refunds$
-- Of a purchase, what is on its way back in the charge's unit.
select coalesce(sum(amount_minor), 0)::bigint
from orders.refund
where purchase_id = :purchase_id and state = 'pending';

-- name: list_standing_lines
-- What of a purchase's lines was not refunded yet; the purchase is locked by the caller.
select l.id, l.project_id, l.partner_id, l.standing, l.mass_mg - l.refunded_mg as mass_mg,
    l.trees - l.refunded_trees as trees, l.amount_micro - l.refunded_micro as amount_micro,
    l.partner_micro - coalesce(r.partner_micro, 0) as partner_micro
from orders.line l
left join lateral (
    select sum(f.partner_micro)::bigint as partner_micro
    from orders.refund_line f
    where f.line_id = l.id
) as r on true
where l.purchase_id = :purchase_id
order by l.project_id, l.id;
