-- name: place_on_credit
-- Orders paid from credits, as many as the arrays have positions: one statement, one commit.
-- Each step takes its rows from the one before, so the keys are claimed before any wallet is touched,
-- and nothing is written for an order whose key is taken or whose wallet does not hold enough.
with patience as materialized (
    select set_config('lock_timeout', (:patience_ms::integer)::text, true) as is_set
),
asked as materialized (
    select a.*
    from patience
    cross join unnest(
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
