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
    -- A receipt that was asked for; a refill where this very order took the balance below its bound.
    select notifications.tell_v1(
        array_agg(f.outbox_id), array_agg(f.topic), array_agg(f.id)
    ) as topics
    from (
        select a.id, o.outbox_id, o.topic
        from free a
        join unnest(
            :outbox_ids::uuid[], :outbox_topics::text[], :outbox_purchase_ids::uuid[],
            :outbox_below_cents::bigint[]
        ) as o (outbox_id, topic, purchase_id, below_cents) on o.purchase_id = a.id
        join taken t on t.group_id = a.id
        where o.below_cents is null
            or (
                t.balance_after_cents < o.below_cents
                and t.balance_after_cents + a.amount_cents >= o.below_cents
            )
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
    refunded_at, refunded_minor
from orders.purchase
where id = :purchase_id;

-- name: find_purchase^
-- An account's purchase by its own id.
select id, account_id, kind, state, payment_method, portfolio_id, project_id, mass_mg, trees,
    amount_cents, charge_minor, currency, charge_id, certificate_slug, created_at, paid_at,
    refunded_at, refunded_minor
from orders.purchase
where id = :purchase_id and account_id = :account_id;

-- name: find_purchase_of_charge$
-- The purchase that a processor's charge paid for.
select purchase_id from orders.charge where charge_id = :charge_id;

-- name: list_lines
-- An account's lines of one kind, newest first, below an id: a page of them.
select id, purchase_id, account_id, charge_id, created_at, mass_mg, trees, billed_micro, charge_minor,
    currency, portfolio_id, project_id, certification_status, standing, source, payment_method,
    certificate_slug, refunded_at, refunded_mg, refunded_trees, refunded_micro, note,
    on_behalf_of_name, on_behalf_of_email, metadata
from orders.listed_line
where account_id = :account_id and kind = :kind
    and id < :before_id and id >= :from_id
    and created_at >= :created_after and created_at < :created_before
order by id desc
limit :at_most::integer;

-- name: list_tagged_lines
-- The same for purchases that carry some metadata: `key` and `value` are one pair of `pairs`.
select l.id, l.purchase_id, l.account_id, l.charge_id, l.created_at, l.mass_mg, l.trees,
    l.billed_micro, l.charge_minor, l.currency, l.portfolio_id, l.project_id,
    l.certification_status, l.standing, l.source, l.payment_method, l.certificate_slug,
    l.refunded_at, l.refunded_mg, l.refunded_trees, l.refunded_micro, l.note, l.on_behalf_of_name,
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
select id, purchase_id, account_id, charge_id, created_at, mass_mg, trees, billed_micro, charge_minor,
    currency, portfolio_id, project_id, certification_status, standing, source, payment_method,
    certificate_slug, refunded_at, refunded_mg, refunded_trees, refunded_micro, note,
    on_behalf_of_name, on_behalf_of_email, metadata
from orders.listed_line
where purchase_id = :purchase_id and account_id = :account_id and kind = :kind
order by id desc;

-- name: list_purchases
-- An account's paid orders of every kind, newest first, below an id: a page of them, with what their
-- lines add up to. The lines of the whole page are looked up at once.
with page as materialized (
    select p.id, p.charge_id, p.state, p.payment_method, p.amount_cents, p.charge_minor, p.currency,
        p.certificate_slug, p.created_at, p.refunded_at, p.refunded_minor
    from orders.purchase p
    where p.account_id = :account_id
        and p.id < :before_id and p.id >= :from_id
        and p.created_at >= :created_after and p.created_at < :created_before
        and p.state not in ('pending', 'failed')
    order by p.id desc
    limit :at_most::integer
),
made as (
    select l.purchase_id,
        sum(l.mass_mg) filter (where l.standing = 'certified') as certified_mg,
        sum(l.refunded_mg) filter (where l.standing = 'certified') as refunded_certified_mg,
        sum(l.trees) as trees, sum(l.refunded_trees) as refunded_trees,
        sum(l.refunded_micro) as refunded_micro,
        bool_or(l.kind = 'offset') as has_offsets, bool_or(l.kind = 'donation') as has_donations,
        bool_or(l.kind = 'tree') as has_trees
    from orders.line l
    where l.purchase_id = any(array(select page.id from page))
    group by l.purchase_id
)
select p.id, p.charge_id, p.state, p.payment_method, p.amount_cents, p.charge_minor, p.currency,
    p.certificate_slug, p.created_at, p.refunded_at, p.refunded_minor,
    coalesce(m.certified_mg, 0)::bigint as certified_mg,
    coalesce(m.refunded_certified_mg, 0)::bigint as refunded_certified_mg,
    coalesce(m.trees, 0)::bigint as trees, coalesce(m.refunded_trees, 0)::bigint as refunded_trees,
    coalesce(m.refunded_micro, 0)::bigint as refunded_micro,
    coalesce(m.has_offsets, false) as has_offsets,
    coalesce(m.has_donations, false) as has_donations,
    coalesce(m.has_trees, false) as has_trees
from page p
left join made m on m.purchase_id = p.id
order by p.id desc;

-- name: list_tagged_purchases
-- The same for those that carry some metadata: `key` and `value` are one pair of `pairs`.
with page as materialized (
    select p.id, p.charge_id, p.state, p.payment_method, p.amount_cents, p.charge_minor, p.currency,
        p.certificate_slug, p.created_at, p.refunded_at, p.refunded_minor
    from orders.tag g
    join orders.purchase p on p.id = g.purchase_id
    join orders.party y on y.purchase_id = g.purchase_id
    where g.account_id = :account_id and g.key = :key and g.value = :value
        and g.purchase_id < :before_id and g.purchase_id >= :from_id
        and p.account_id = :account_id
        and p.created_at >= :created_after and p.created_at < :created_before
        and p.state not in ('pending', 'failed')
        and y.metadata @> :pairs::jsonb
    order by g.purchase_id desc
    limit :at_most::integer
),
made as (
    select l.purchase_id,
        sum(l.mass_mg) filter (where l.standing = 'certified') as certified_mg,
        sum(l.refunded_mg) filter (where l.standing = 'certified') as refunded_certified_mg,
        sum(l.trees) as trees, sum(l.refunded_trees) as refunded_trees,
        sum(l.refunded_micro) as refunded_micro,
        bool_or(l.kind = 'offset') as has_offsets, bool_or(l.kind = 'donation') as has_donations,
        bool_or(l.kind = 'tree') as has_trees
    from orders.line l
    where l.purchase_id = any(array(select page.id from page))
    group by l.purchase_id
)
select p.id, p.charge_id, p.state, p.payment_method, p.amount_cents, p.charge_minor, p.currency,
    p.certificate_slug, p.created_at, p.refunded_at, p.refunded_minor,
    coalesce(m.certified_mg, 0)::bigint as certified_mg,
    coalesce(m.refunded_certified_mg, 0)::bigint as refunded_certified_mg,
    coalesce(m.trees, 0)::bigint as trees, coalesce(m.refunded_trees, 0)::bigint as refunded_trees,
    coalesce(m.refunded_micro, 0)::bigint as refunded_micro,
    coalesce(m.has_offsets, false) as has_offsets,
    coalesce(m.has_donations, false) as has_donations,
    coalesce(m.has_trees, false) as has_trees
from page p
left join made m on m.purchase_id = p.id
order by p.id desc;

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

-- name: list_known_purchases
-- Those of some ids that are a purchase's.
select id from orders.purchase where id = any(:purchase_ids::uuid[]);

-- name: list_totals
-- What the lines of a range of accounts say of their totals, less what was refunded of each. The sums
-- are numeric: a damaged mass may be of any size.
select l.account_id,
    coalesce(
        sum(l.mass_mg::numeric - l.refunded_mg) filter (where l.standing <> 'uncertified'), 0
    ) as certified_mg,
    sum(l.trees::numeric - l.refunded_trees) as trees
from orders.line l
where l.account_id > :above_account_id and l.account_id <= :up_to_account_id
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
    select sum(l.mass_mg - l.refunded_mg)::bigint as mass_mg
    from orders.line l
    where l.purchase_id = p.id
) as standing
where p.kind = 'offset' and p.state in ('paid', 'partly_refunded')
    and p.id <> all(:without_ids::uuid[])
    and standing.mass_mg > 0
order by p.id desc
limit :at_most::integer;

-- name: lock_purchase^
-- A purchase of whichever account, locked until the transaction ends.
select id, account_id, kind, state, payment_method, portfolio_id, project_id, mass_mg, trees,
    amount_cents, charge_minor, currency, charge_id, certificate_slug, created_at, paid_at,
    refunded_at, refunded_minor
from orders.purchase
where id = :purchase_id
for update;

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

-- name: update_purchase_refunded!
update orders.purchase
set refunded_minor = :refunded_minor, state = :state::text,
    refunded_at = case when :state::text = 'refunded' then coalesce(refunded_at, now()) end
where id = :purchase_id;

-- name: update_refund_failed!
update orders.refund
set state = 'failed', failure_code = :failure_code, settled_at = now()
where id = :id and state = 'pending';

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

-- name: erase_party^
-- What one purchase holds of persons, and the pairs by which it is found.
with parties as (
    delete from orders.party where purchase_id = :purchase_id returning 1
),
tags as (
    delete from orders.tag t
    using orders.purchase p
    where p.id = :purchase_id and t.account_id = p.account_id and t.purchase_id = p.id
    returning 1
)
select (select count(*) from parties) as parties, (select count(*) from tags) as tags;

-- name: erase_parties^
-- The same of an account's purchases after an id, a page of them, but for the pairs.
with page as materialized (
    select id
    from orders.purchase
    where account_id = :account_id and id > :after_id
    order by id
    limit :at_most::integer
),
gone as (
    delete from orders.party y using page p where y.purchase_id = p.id returning 1
)
select (select p.id from page p order by p.id desc limit 1) as last_id,
    (select count(*) from gone) as parties;

-- name: erase_tags$
-- Pairs of an account, whichever come first.
with picked as materialized (
    select account_id, key, value, purchase_id
    from orders.tag
    where account_id = :account_id
    limit :at_most::integer
),
gone as (
    delete from orders.tag t
    using picked k
    where t.account_id = k.account_id and t.key = k.key and t.value = k.value
        and t.purchase_id = k.purchase_id
    returning 1
)
select count(*) from gone;

-- name: count_pending$
-- Purchases and refunds of an account that are not settled yet.
select (
    (select count(*) from orders.purchase where account_id = :account_id and state = 'pending')
    + (select count(*) from orders.refund where account_id = :account_id and state = 'pending')
);

-- name: list_purchases_among
-- Those of some purchases that are an account's.
select id from orders.purchase where id = any(:purchase_ids::uuid[]) and account_id = :account_id;

-- name: sum_lines^
-- What all lines come to as they were written: the partners' part and the margin. Refunds are in the
-- journal. Sums are numeric: a damaged amount may be of any size.
select coalesce(sum(partner_micro::numeric), 0) as partner_micro,
    coalesce(sum(margin_micro::numeric), 0) as margin_micro
from orders.line;

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
