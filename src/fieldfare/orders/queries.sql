-- name: place_on_credit
-- Orders paid from credits, as many as the arrays have positions: one statement, one commit.
-- Each step takes its rows from the one before, so the keys are claimed before any wallet is touched,
-- and nothing is written for an order whose key is taken or whose wallet does not hold enough.
with asked as materialized (
    select *
    from unnest(
        :ids::uuid[], :account_ids::bigint[], :kinds::text[], :sources::text[],
        :portfolio_ids::integer[], :project_ids::integer[], :masses_mg::bigint[],
        :trees::bigint[], :certified_mgs::bigint[], :unit_prices_cents::bigint[],
        :price_revisions::bigint[], :amounts_cents::bigint[], :send_receipts::boolean[],
        :slugs::uuid[], :entry_ids::uuid[], :descriptions::text[], :created_ats::timestamptz[],
        :key_hashes::bytea[], :fingerprints::bytea[], :answer_heads::bytea[],
        :answer_tails::bytea[]
    ) with ordinality as a (
        id, account_id, kind, source, portfolio_id, project_id, mass_mg, trees, certified_mg,
        unit_price_cents, price_revision, amount_cents, send_receipt, slug, entry_id, description,
        created_at, key_hash, fingerprint, answer_head, answer_tail, ordinal
    )
),
claimed as materialized (
    select * from http.claim_keys_v1(:key_hashes::bytea[], :fingerprints::bytea[])
),
free as materialized (
    select a.*
    from asked a
    join claimed c on c.ordinal = a.ordinal
    where c.verdict = 'free'
),
taken as materialized (
    select t.group_id, t.balance_after_cents
    from (
        select array_agg(entry_id order by ordinal) as entry_ids,
            array_agg(account_id order by ordinal) as account_ids,
            array_agg(amount_cents order by ordinal) as amounts_cents,
            array_agg(certified_mg order by ordinal) as certified_mgs,
            array_agg(trees order by ordinal) as trees,
            array_agg(id order by ordinal) as ids,
            array_agg(description order by ordinal) as descriptions
        from free
    ) as f
    cross join lateral ledger.deduct_v1(
        f.entry_ids, f.account_ids, f.amounts_cents, f.certified_mgs, f.trees, f.ids, f.descriptions
    ) as t
),
bought as (
    insert into orders.purchase (
        id, account_id, kind, state, payment_method, source, portfolio_id, project_id, mass_mg,
        trees, unit_price_cents, price_revision, amount_cents, charge_minor, currency,
        send_receipt, certificate_slug, created_at, paid_at
    )
    select f.id, f.account_id, f.kind, 'paid', 'credits', f.source, f.portfolio_id, f.project_id,
        f.mass_mg, f.trees, f.unit_price_cents, f.price_revision, f.amount_cents, f.amount_cents,
        'USD', f.send_receipt, f.slug, f.created_at, f.created_at
    from free f
    join taken t on t.group_id = f.id
),
slugged as (
    insert into orders.certificate_slug (slug, purchase_id)
    select f.slug, f.id
    from free f
    join taken t on t.group_id = f.id
),
lined as (
    insert into orders.line (
        id, purchase_id, account_id, project_id, partner_id, kind, standing,
        certification_status, weight_ppm, unit_price_micro, mass_mg, trees, amount_micro,
        billed_micro, partner_share_ppm, partner_micro, margin_micro, created_at
    )
    select l.id, l.purchase_id, f.account_id, l.project_id, l.partner_id, l.kind, l.standing,
        l.certification_status, l.weight_ppm, l.unit_price_micro, l.mass_mg, l.trees,
        l.amount_micro, l.billed_micro, l.partner_share_ppm, l.partner_micro,
        l.amount_micro - l.partner_micro, f.created_at
    from unnest(
        :line_ids::uuid[], :line_purchase_ids::uuid[], :line_project_ids::integer[],
        :line_partner_ids::integer[], :line_kinds::text[], :line_standings::text[],
        :line_statuses::text[], :line_weights_ppm::integer[], :line_unit_prices_micro::bigint[],
        :line_masses_mg::bigint[], :line_trees::bigint[], :line_amounts_micro::bigint[],
        :line_billed_micro::bigint[], :line_partner_shares_ppm::integer[],
        :line_partner_micro::bigint[]
    ) as l (
        id, purchase_id, project_id, partner_id, kind, standing, certification_status, weight_ppm,
        unit_price_micro, mass_mg, trees, amount_micro, billed_micro, partner_share_ppm,
        partner_micro
    )
    join free f on f.id = l.purchase_id
    join taken t on t.group_id = f.id
),
partied as (
    insert into orders.party (purchase_id, on_behalf_of_name, on_behalf_of_email, note, metadata)
    select p.purchase_id, p.on_behalf_of_name, p.on_behalf_of_email, p.note, p.metadata::jsonb
    from unnest(
        :party_purchase_ids::uuid[], :party_names::text[], :party_emails::text[],
        :party_notes::text[], :party_metadata::text[]
    ) as p (purchase_id, on_behalf_of_name, on_behalf_of_email, note, metadata)
    join taken t on t.group_id = p.purchase_id
),
tagged as (
    insert into orders.tag (account_id, key, value, purchase_id)
    select f.account_id, g.key, g.value, g.purchase_id
    from unnest(:tag_purchase_ids::uuid[], :tag_keys::text[], :tag_values::text[])
        as g (purchase_id, key, value)
    join free f on f.id = g.purchase_id
    join taken t on t.group_id = f.id
),
remembered as materialized (
    select http.remember_v1(
        array_agg(f.key_hash), array_agg(f.fingerprint), array_agg(f.id),
        array_agg(200::smallint),
        array_agg(
            f.answer_head || convert_to(t.balance_after_cents::text, 'UTF8') || f.answer_tail
        )
    ) as keys
    from free f
    join taken t on t.group_id = f.id
    where f.key_hash is not null
    having count(*) > 0
),
told as materialized (
    select notifications.tell_v1(
        array_agg(f.outbox_id), array_agg('receipt_due'::text), array_agg(f.id)
    ) as topics
    from (
        select a.id, o.outbox_id
        from free a
        join unnest(:outbox_ids::uuid[], :outbox_purchase_ids::uuid[])
            as o (outbox_id, purchase_id) on o.purchase_id = a.id
        join taken t on t.group_id = a.id
    ) as f
    having count(*) > 0
)
select c.verdict, c.status, c.answer, t.balance_after_cents,
    (select keys from remembered) as keys, (select topics from told) as topics
from asked a
join claimed c on c.ordinal = a.ordinal
left join taken t on t.group_id = a.id
order by a.ordinal;

-- name: open_card_order^
-- An order that a card is to be charged for: pending, with its payment, its key without an answer yet,
-- and a timer that settles it should nobody else; one statement, one commit.
with claimed as materialized (
    select * from http.claim_keys_v1(array[:key_hash::bytea], array[:fingerprint::bytea])
),
opened as (
    insert into orders.purchase (
        id, account_id, kind, state, payment_method, source, portfolio_id, project_id, mass_mg,
        trees, unit_price_cents, price_revision, amount_cents, charge_minor, currency, rate,
        rate_on, send_receipt, certificate_slug, quote, created_at
    )
    select :id, :account_id, :kind, 'pending', 'stripe', :source, :portfolio_id, :project_id,
        :mass_mg, :trees, :unit_price_cents, :price_revision, :amount_cents, :charge_minor,
        :currency, :rate, :rate_on, :send_receipt, :slug, :quote::jsonb, :created_at
    from claimed c
    where c.verdict = 'free'
    returning id
),
slugged as (
    insert into orders.certificate_slug (slug, purchase_id)
    select :slug, o.id from opened o
),
partied as (
    insert into orders.party (purchase_id, on_behalf_of_name, on_behalf_of_email, note, metadata)
    select o.id, :on_behalf_of_name, :on_behalf_of_email, :note, :metadata::jsonb
    from opened o
    where :has_party
),
tagged as (
    insert into orders.tag (account_id, key, value, purchase_id)
    select :account_id, g.key, g.value, o.id
    from opened o
    cross join unnest(:tag_keys::text[], :tag_values::text[]) as g (key, value)
),
charged as materialized (
    select payments.open_v1(
        :payment_id, 'purchase', o.id, :account_id, :charge_minor, :currency, :amount_cents, :rate,
        :payment_rate_on, :customer, :request, :processor_key, :lease
    )
    from opened o
),
remembered as materialized (
    select http.remember_v1(
        array[:key_hash::bytea], array[:fingerprint::bytea], array[o.id], array[null::smallint],
        array[null::bytea]
    )
    from opened o
),
told as materialized (
    select notifications.tell_v1(
        array[:outbox_id::uuid], array['payment_unsettled'], array[o.id], :settle_after
    )
    from opened o
)
select c.verdict, c.status, c.answer, c.subject_id,
    (select count(*) from charged) as payments, (select count(*) from remembered) as keys,
    (select count(*) from told) as topics
from claimed c;

-- name: look_at_key^
-- What a client's key says, recording nothing.
select verdict, status, answer, subject_id
from http.claim_keys_v1(array[:key_hash::bytea], array[:fingerprint::bytea]);

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

-- name: add_impact!
select ledger.add_impact_v1(:account_id, :certified_mg::bigint, :trees::bigint);

-- name: update_failed!
update orders.purchase
set state = 'failed', quote = null
where id = :purchase_id and state = 'pending';

-- name: find_any_purchase^
-- A purchase of whichever account, for settling and for the books.
select id, account_id, kind, state, payment_method, portfolio_id, project_id, mass_mg, trees,
    amount_cents, charge_minor, currency, charge_id, certificate_slug, created_at, paid_at,
    refunded_at
from orders.purchase
where id = :purchase_id;

-- name: find_purchase^
-- An account's purchase by its own id.
select id, account_id, kind, state, payment_method, portfolio_id, project_id, mass_mg, trees,
    amount_cents, charge_minor, currency, charge_id, certificate_slug, created_at, paid_at,
    refunded_at
from orders.purchase
where id = :purchase_id and account_id = :account_id;

-- name: find_purchase_of_charge$
-- The purchase that a processor's charge paid for.
select purchase_id from orders.charge where charge_id = :charge_id;

-- name: list_lines
-- An account's lines of one kind, newest first, below an id: a page of them.
select id, purchase_id, charge_id, created_at, mass_mg, trees, billed_micro, currency, portfolio_id,
    project_id, certification_status, standing, source, payment_method, certificate_slug,
    refunded_at, note, on_behalf_of_name, on_behalf_of_email, metadata
from orders.listed_line
where account_id = :account_id and kind = :kind
    and id < :before_id and id >= :from_id
    and created_at >= :created_after and created_at < :created_before
order by id desc
limit :at_most::integer;

-- name: list_tagged_lines
-- The same for purchases that carry some metadata: `key` and `value` are one pair of `pairs`.
select l.id, l.purchase_id, l.charge_id, l.created_at, l.mass_mg, l.trees, l.billed_micro,
    l.currency, l.portfolio_id, l.project_id, l.certification_status, l.standing, l.source,
    l.payment_method, l.certificate_slug, l.refunded_at, l.note, l.on_behalf_of_name,
    l.on_behalf_of_email, l.metadata
from orders.tag g
join orders.listed_line l on l.purchase_id = g.purchase_id
where g.account_id = :account_id and g.key = :key and g.value = :value
    and l.account_id = :account_id and l.kind = :kind
    and l.id < :before_id and l.id >= :from_id
    and l.created_at >= :created_after and l.created_at < :created_before
    and l.metadata @> :pairs::jsonb
order by l.id desc
limit :at_most::integer;

-- name: list_lines_of_purchase
-- The lines of one purchase of an account, newest first.
select id, purchase_id, charge_id, created_at, mass_mg, trees, billed_micro, currency, portfolio_id,
    project_id, certification_status, standing, source, payment_method, certificate_slug,
    refunded_at, note, on_behalf_of_name, on_behalf_of_email, metadata
from orders.listed_line
where purchase_id = :purchase_id and account_id = :account_id and kind = :kind
order by id desc;

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

-- name: list_purchases_from
-- Purchases after an id, oldest first, with what their lines are held against.
select id, account_id, kind, state, payment_method, portfolio_id, mass_mg, trees, unit_price_cents,
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

-- name: list_known_purchases
-- Those of some ids that are a purchase's.
select id from orders.purchase where id = any(:purchase_ids::uuid[]);

-- name: list_totals
-- What the lines of a range of accounts say of their totals, refunds left out. The sums are numeric:
-- a damaged mass may be of any size.
select l.account_id,
    coalesce(sum(l.mass_mg) filter (where l.standing <> 'uncertified'), 0) as certified_mg,
    sum(l.trees) as trees
from orders.line l
where l.refunded_at is null
    and l.account_id > :above_account_id and l.account_id <= :up_to_account_id
group by l.account_id;

-- name: list_recent_purchases
-- The newest offset orders of anybody of which something stands, looked for among the newest
-- `looked_at` of all orders, so that a shop which sells only trees is not read to its beginning.
select p.id, p.account_id, p.portfolio_id, p.charge_id, p.certificate_slug, p.created_at,
    standing.mass_mg
from (
    select id, account_id, kind, state, portfolio_id, charge_id, certificate_slug, created_at
    from orders.purchase
    order by id desc
    limit :looked_at::integer
) as p
cross join lateral (
    select sum(l.mass_mg)::bigint as mass_mg
    from orders.line l
    where l.purchase_id = p.id and l.refunded_at is null
) as standing
where p.kind = 'offset' and p.state in ('paid', 'partly_refunded')
    and p.id <> all(:without_ids::uuid[])
    and standing.mass_mg > 0
order by p.id desc
limit :at_most::integer;
