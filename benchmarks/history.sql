-- The statements of `history.py`, in the order in which they run.

-- name: make_patterns
-- What the product's own rules say of one order of each kind: rows to be, without ids.
create temp table pattern (
    number bigint primary key, portfolio_id integer, mass_mg bigint, certified_mg bigint,
    unit_price_cents bigint, price_revision bigint, amount_cents bigint, description text
);
create temp table pattern_line (
    number bigint, project_id integer, partner_id integer, kind text, standing text,
    certification_status text, weight_ppm integer, unit_price_micro bigint, mass_mg bigint,
    trees bigint, amount_micro bigint, billed_micro bigint, partner_share_ppm integer,
    partner_micro bigint, margin_micro bigint
);
create temp table batch (
    place bigint primary key, id uuid, account_id bigint, number bigint, slug uuid, entry_id uuid,
    age interval, created_at timestamptz
);

-- name: index_patterns
create index on pattern_line (number);
analyze pattern;
analyze pattern_line;

-- name: clear_batch
truncate batch;

-- name: draw_batch
-- Orders from one place to another: each account in turn, evenly over the whole time. An order's id,
-- and those of its lines and entry, are drawn as if at its own instant.
insert into batch (place, id, account_id, number, slug, entry_id, age, created_at)
select d.place, d.id, %(first_account)s + d.place %% %(accounts)s, d.place %% %(patterns)s,
    gen_random_uuid(), uuidv7(- d.age), d.age, uuid_extract_timestamp(d.id)
from (
    select p.place, a.age, uuidv7(- a.age) as id
    from generate_series(%(from_place)s::bigint, %(to_place)s::bigint) as p (place)
    cross join lateral (
        select %(age)s::interval * ((p.place + 1)::double precision / %(orders)s)
    ) as b (passed)
    cross join lateral (select %(age)s::interval - b.passed) as a (age)
) as d
order by d.place;

-- name: analyze_batch
analyze batch;

-- name: write_purchases
insert into orders.purchase (
    id, account_id, kind, state, payment_method, source, portfolio_id, mass_mg, trees,
    unit_price_cents, price_revision, amount_cents, charge_minor, currency, send_receipt,
    certificate_slug, created_at, paid_at
)
select b.id, b.account_id, 'offset', 'paid', 'credits', 'public-api', t.portfolio_id, t.mass_mg, 0,
    t.unit_price_cents, t.price_revision, t.amount_cents, t.amount_cents, 'USD', false, b.slug,
    b.created_at, b.created_at
from batch b
join pattern t on t.number = b.number
order by b.place;

-- name: write_slugs
insert into orders.certificate_slug (slug, purchase_id) select slug, id from batch;

-- name: write_lines
insert into orders.line (
    id, purchase_id, account_id, project_id, partner_id, kind, standing, certification_status,
    weight_ppm, unit_price_micro, mass_mg, trees, amount_micro, billed_micro, partner_share_ppm,
    partner_micro, margin_micro, created_at
)
select uuidv7(- o.age), o.id, o.account_id, l.project_id, l.partner_id, l.kind, l.standing,
    l.certification_status, l.weight_ppm, l.unit_price_micro, l.mass_mg, l.trees, l.amount_micro,
    l.billed_micro, l.partner_share_ppm, l.partner_micro, l.margin_micro, o.created_at
from (select * from batch order by place) as o
join pattern_line l on l.number = o.number;

-- name: write_entries
-- Each account's are numbered, and its balance falls, from where the batch before left them.
insert into ledger.entry (
    id, account_id, number, kind, amount_cents, balance_after_cents, group_id, description,
    created_at
)
select b.entry_id, b.account_id, w.entry_count + row_number() over own, 'deduction',
    -t.amount_cents, w.balance_cents - sum(t.amount_cents) over own, b.id, t.description,
    b.created_at
from batch b
join pattern t on t.number = b.number
join ledger.wallet w on w.account_id = b.account_id
window own as (partition by b.account_id order by b.place);

-- name: lower_wallets
update ledger.wallet w
set balance_cents = w.balance_cents - s.amount_cents, certified_mg = w.certified_mg + s.certified_mg,
    entry_count = w.entry_count + s.orders
from (
    select b.account_id, sum(t.amount_cents) as amount_cents, sum(t.certified_mg) as certified_mg,
        count(*) as orders
    from batch b
    join pattern t on t.number = b.number
    group by b.account_id
) as s
where w.account_id = s.account_id;
