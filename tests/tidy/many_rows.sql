-- Some thousand rows for every table that grows with the business, so that the planner has a choice.
-- Ids spread over four months, `_first` and three partitions; the others are dropped before this runs.
-- Triggers are off: `session_replication_role` is set by whoever runs it.

create function pg_temp.spread_id(n bigint, salt text) returns uuid
language sql
as $$
    select overlay(
        db.uuid_floor_v1('2026-11-05 00:00+00'::timestamptz + (n % 4) * interval '30 days')::text
        placing '7' || right(md5(n || salt), 3) || '-8' || right(md5(salt || n), 3) || '-'
        || left(md5(n || salt || n), 12)
        from 15
    )::uuid
$$;

insert into accounts.account (id, kind, name, billing_email, stripe_customer, created_at)
select n, case when n % 2 = 0 then 'team' else 'user' end, 'Account ' || n, n || '@example.org',
    'cus_' || n, now()
from generate_series(10001, 13000) as n;

insert into accounts.identity (user_id, kind, subject, secret, created_at)
select n, 'password', n || '@example.org', 'hash', now() from generate_series(10001, 13000, 2) as n;

insert into accounts.member (team_id, user_id, role, created_at)
select n + 1, n, 'owner', now() from generate_series(10001, 12999, 2) as n;

insert into accounts.operator (user_id, role, created_at)
select n, 'support', now() from generate_series(10001, 12999, 2) as n;

insert into accounts.token (id, account_id, kind, sha256, hint, label, created_at)
select gen_random_uuid(), n, 'team_live', sha256(n::text::bytea), 'abcd', '', now()
from generate_series(10001, 13000) as n;

insert into accounts.refill (account_id, below_cents, amount_cents, changed_at)
select n, 5000, 20000, now() from generate_series(10001, 13000) as n;

insert into http.idempotency_key (key_hash, fingerprint, subject_id, status, answer, created_at)
select sha256(n::text::bytea), sha256('f'), gen_random_uuid(), 200, 'answer'::bytea,
    now() - n * interval '1 minute'
from generate_series(1, 2000) as n;

insert into ledger.wallet (account_id, balance_cents, certified_mg)
select n, 1000000, n from generate_series(10001, 13000) as n;

insert into ledger.entry (
    id, account_id, number, kind, amount_cents, balance_after_cents, group_id, description, created_at
)
select pg_temp.spread_id(n, 'entry'), 10001 + n % 200, 1 + n / 200, 'deduction', -100, 1000,
    pg_temp.spread_id(n, 'purchase'), '', now()
from generate_series(0, 3999) as n;

insert into ledger.journal (
    id, movement_id, kind, book, account_id, currency, amount_micro, memo, created_at
)
select pg_temp.spread_id(n, 'journal'), pg_temp.spread_id(n / 2, 'entry'), 'adjustment', 'credits',
    10001, 'USD', 1 - 2 * (n % 2), '', now()
from generate_series(0, 3999) as n;

insert into notifications.outbox (id, topic, subject_id, due_at, created_at)
select gen_random_uuid(), 'topic', gen_random_uuid(), now(), now() from generate_series(1, 2000);

insert into notifications.sent (message_id, kind, subject_id, sent_at)
select n::text, 'receipt', gen_random_uuid(), now() from generate_series(1, 2000) as n;

insert into orders.purchase (
    id, account_id, kind, state, payment_method, source, portfolio_id, mass_mg, trees,
    price_revision, amount_cents, charge_minor, currency, send_receipt, certificate_slug, created_at,
    paid_at
)
select pg_temp.spread_id(n, 'purchase'), 10001 + n % 200, 'offset', 'paid', 'credits', 'api', 1, 1000,
    0, 1, 100, 100, 'USD', false, gen_random_uuid(), now(), now()
from generate_series(0, 3999) as n;

insert into orders.line (
    id, purchase_id, account_id, project_id, partner_id, kind, standing, certification_status,
    weight_ppm, unit_price_micro, mass_mg, trees, amount_micro, billed_micro, partner_share_ppm,
    partner_micro, margin_micro, created_at
)
select pg_temp.spread_id(n, 'line'), pg_temp.spread_id(n, 'purchase'), 10001 + n % 200, 1, 1, 'offset',
    'certified', '', 1000000, 1000000, 1000, 0, 100, 100, 900000, 90, 10, now()
from generate_series(0, 3999) as n;

-- Notes of some length: a table of a few pages is rightly read whole sooner than looked into ten times.
insert into orders.party (purchase_id, note, metadata)
select pg_temp.spread_id(n, 'purchase'), repeat('note ', 40),
    jsonb_build_object('project', 'p' || n % 200)
from generate_series(0, 3999) as n;

insert into orders.tag (account_id, key, value, purchase_id)
select 10001 + n % 200, 'project', 'p' || n / 200, pg_temp.spread_id(n, 'purchase')
from generate_series(0, 3999) as n;

insert into orders.charge (charge_id, purchase_id)
select 'ch_' || n, pg_temp.spread_id(n, 'purchase') from generate_series(0, 1999) as n;

insert into orders.certificate_slug (slug, purchase_id)
select gen_random_uuid(), pg_temp.spread_id(n, 'purchase') from generate_series(0, 3999) as n;

insert into payments.exchange_rate (currency, recorded_at, rate, rate_on, source)
select 'A' || chr(65 + n % 20) || 'A', now() - n * interval '1 hour', 1, '2026-11-20', 'ecb'
from generate_series(1, 2000) as n;

insert into impact.ranking (page, highest_mg, masses_mg)
select n, 3000 - n, array[3000 - n] from generate_series(0, 2000) as n;

insert into impact.certificate (
    number, purchase_id, account_id, edition, figures, purchaser_hash, salt, issued_at
)
select translate(upper(left(md5(n::text) || md5(n::text || 'x'), 12)), '01', 'XY'),
    pg_temp.spread_id(n / 2, 'purchase'), 10001 + n % 200, 1 + n % 2, sha256('f'), sha256('p'),
    decode(md5(n::text), 'hex'), now()
from generate_series(0, 3999) as n;

insert into impact.nameless_order (purchase_id, erased_at)
select pg_temp.spread_id(n, 'purchase'), now() from generate_series(0, 1999) as n;

insert into impact.certificate_key (kid, public_key, added_at)
select n::text, sha256(n::text::bytea), now() - n * interval '1 day' from generate_series(1, 2000) as n;

insert into payments.payment (
    id, subject, subject_id, account_id, amount_minor, currency, amount_cents, rate, rate_on, customer,
    request, processor_key, first_sent_at, last_sent_at, state, created_at
)
select pg_temp.spread_id(n, 'payment'), 'purchase', pg_temp.spread_id(n, 'purchase'), 10001 + n % 200,
    100, 'USD', 100, 1, '2026-11-20', 'cus_' || n % 200, 'request', 'key', now(), now(), 'pending', now()
from generate_series(0, 3999) as n;

insert into payments.inbox (id, event_id, kind, payload, received_at)
select pg_temp.spread_id(n, 'event'), 'evt_' || n, 'payment_intent.succeeded', 'payload', now()
from generate_series(0, 3999) as n;

insert into payments.exception (id, kind, subject, detail, opened_at)
select pg_temp.spread_id(n, 'exception'), 'mismatch', 'subject ' || n, '', now()
from generate_series(0, 1999) as n;

insert into payments.exchange_rate (currency, recorded_at, rate, rate_on, source)
select chr(65 + n % 26) || chr(65 + n / 26 % 4) || 'X', now() - n / 104 * interval '1 day', 1,
    '2026-11-20', 'ecb'
from generate_series(0, 3999) as n;

insert into payments.top_up (
    id, account_id, origin, amount_cents, state, charge_id, entry_id, created_at, settled_at
)
select pg_temp.spread_id(n, 'top_up'), 10001 + n % 200, 'request', 5000, 'paid', 'ch_t' || n,
    pg_temp.spread_id(n, 'top_up_entry'), now(), now()
from generate_series(0, 3999) as n;

insert into orders.refund (
    id, purchase_id, account_id, origin, state, amount_minor, currency, reason, created_at
)
select pg_temp.spread_id(n, 'refund'), pg_temp.spread_id(n, 'purchase'), 10001 + n % 200, 'operator',
    'pending', 1, 'USD', '', now()
from generate_series(0, 1999) as n;
