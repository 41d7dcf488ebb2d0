-- One PostgreSQL schema per feature. No foreign key crosses a feature; the hot tables of an order
-- (purchase, line, party, entry) have none at all: `fieldfare verify` holds their rows against each other.
--
-- Units: _cents are US cents, _minor the smallest unit of the row's currency, _micro a millionth of a
-- US cent, _mg milligrams of CO2e, _ppm parts per million.

-- ---------------------------------------------------------------------------------------------- db

create schema db;

create table db.change (
    topic text primary key,
    revision bigint not null check (revision > 0)
);
comment on table db.change is 'What caches follow: raised in the transaction that changes a topic.';

create table db.partitioned (
    parent text primary key
);
comment on table db.partitioned is 'Tables range-partitioned by month on the UUIDv7 in their key.';

create function db.uuid_floor_v1(at timestamptz) returns uuid
language sql immutable strict parallel safe
as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
comment on function db.uuid_floor_v1 is 'The lowest UUIDv7 of an instant (RFC 9562, section 5.7).';

create function db.make_partitions_v1(months_ahead integer) returns integer
language plpgsql
as $$
declare
    table_name text;
    child text;
    month timestamp;
    made integer := 0;
    -- Everything before this month lies in the `_first` partitions, made with their tables.
    first_month constant timestamp := '2026-12-01';
begin
    -- Two hosts may come here at once; the second waits and then finds everything made.
    perform pg_advisory_xact_lock(hashtextextended('db.make_partitions', 0));
    for month, table_name in
        select m, p.parent
        from generate_series(
            first_month,
            date_trunc('month', now() at time zone 'UTC') + make_interval(months => months_ahead),
            interval '1 month'
        ) as m
        cross join db.partitioned as p
        order by m, p.parent
    loop
        child := table_name || to_char(month, '_YYYY_MM');
        if to_regclass(child) is null then
            -- Made apart and then attached: attaching blocks neither reads nor writes.
            execute format('create table %s (like %s including all)', child, table_name);
            execute format(
                'alter table %s attach partition %s for values from (%L) to (%L)',
                table_name, child,
                db.uuid_floor_v1(month at time zone 'UTC'),
                db.uuid_floor_v1((month + interval '1 month') at time zone 'UTC')
            );
            made := made + 1;
        end if;
    end loop;
    return made;
end
$$;
comment on function db.make_partitions_v1 is
'Makes what is missing of the monthly partitions of every large table; safe to repeat.';

create function db.partition_v1(table_name text) returns void
language plpgsql
as $$
begin
    insert into db.partitioned (parent) values (table_name);
    execute format(
        'create table %s partition of %s for values from (minvalue) to (%L)',
        table_name || '_first', table_name, db.uuid_floor_v1('2026-12-01 00:00:00+00')
    );
end
$$;
comment on function db.partition_v1 is
'Called in the migration that makes a large table: registers it and makes its first partition.';

create function db.refuse_change_v1() returns trigger
language plpgsql
as $$
begin
    raise exception '%.% is append-only: write a new row instead', tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end
$$;

-- -------------------------------------------------------------------------------------------- http

create schema http;

create table http.idempotency_key (
    key_hash bytea primary key check (octet_length(key_hash) = 32),
    fingerprint bytea not null check (octet_length(fingerprint) = 32),
    subject_id uuid not null,
    status smallint,
    answer bytea,
    created_at timestamptz not null,
    check ((status is null) = (answer is null))
);
comment on table http.idempotency_key is
'What was answered to a request that made something; without an answer, its outcome is not known yet.';
comment on column http.idempotency_key.key_hash is 'SHA-256 of account, path and the client''s key.';
comment on column http.idempotency_key.fingerprint is 'SHA-256 of the request after decoding.';
comment on column http.idempotency_key.subject_id is 'The purchase or payment that the request made.';
create index idempotency_key_created_at on http.idempotency_key (created_at);
create index idempotency_key_unanswered on http.idempotency_key (subject_id) where answer is null;

create function http.claim_keys_v1(key_hashes bytea[], fingerprints bytea[])
returns table (
    ordinal integer, verdict text, subject_id uuid, status smallint, answer bytea
)
language plpgsql
as $$
declare
    stored http.idempotency_key;
begin
    -- The lock is tried, never waited for: keys taken in different orders would deadlock. Each look
    -- at the table is a statement of its own, so it sees what a rival committed before its lock went.
    for position in 1 .. coalesce(array_length(key_hashes, 1), 0) loop
        ordinal := position;
        verdict := 'free';
        subject_id := null;
        status := null;
        answer := null;
        if key_hashes[position] is not null then
            if key_hashes[position] = any (key_hashes[1 : position - 1]) or not pg_try_advisory_xact_lock(
                ('x' || encode(substring(key_hashes[position] for 8), 'hex'))::bit(64)::bigint
            ) then
                verdict := 'in_flight';
            else
                select * into stored from http.idempotency_key k where k.key_hash = key_hashes[position];
                if found then
                    subject_id := stored.subject_id;
                    status := stored.status;
                    answer := stored.answer;
                    verdict := case
                        when stored.fingerprint <> fingerprints[position] then 'mismatch'
                        when stored.answer is null then 'pending'
                        else 'replay'
                    end;
                end if;
            end if;
        end if;
        return next;
    end loop;
end
$$;
comment on function http.claim_keys_v1 is
'One verdict for each position: free (also without a key), in_flight, mismatch, replay, or pending if the
outcome of the first request is not known yet. A key that is free stays locked until the transaction ends.';

create function http.remember_v1(
    key_hashes bytea[], fingerprints bytea[], subject_ids uuid[], statuses smallint[], answers bytea[]
) returns bigint
language sql
as $$
    with kept as (
        insert into http.idempotency_key (key_hash, fingerprint, subject_id, status, answer, created_at)
        select a.key_hash, a.fingerprint, a.subject_id, a.status, a.answer, now()
        from unnest(key_hashes, fingerprints, subject_ids, statuses, answers)
            as a (key_hash, fingerprint, subject_id, status, answer)
        where a.key_hash is not null
        returning 1
    )
    select count(*) from kept
$$;

create function http.answer_key_v1(subject uuid, answered_status smallint, answered bytea)
returns bigint
language sql
as $$
    with answered_keys as (
        update http.idempotency_key
        set status = answered_status, answer = answered
        where subject_id = subject and answer is null
        returning 1
    )
    select count(*) from answered_keys
$$;
comment on function http.answer_key_v1 is
'Keeps what was answered to a request whose outcome was not known when its key was claimed.';

create function http.forget_key_v1(subject uuid) returns bigint
language sql
as $$
    with forgotten as (
        delete from http.idempotency_key where subject_id = subject and answer is null returning 1
    )
    select count(*) from forgotten
$$;
comment on function http.forget_key_v1 is
'Frees the key of a request that turned out to have made nothing.';

-- ---------------------------------------------------------------------------------------- accounts

create schema accounts;

create table accounts.account (
    id bigint generated by default as identity (start with 1001) primary key,
    kind text not null check (kind in ('user', 'team')),
    name text not null check (length(name) between 1 and 200),
    billing_email text check (length(billing_email) between 3 and 320),
    currency text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
    language text not null default 'en' check (language in ('en', 'de', 'fr', 'es')),
    stripe_customer text unique,
    stripe_payment_method text,
    is_public boolean not null default false,
    image_url text,
    profile_url text,
    refill_below_cents bigint check (refill_below_cents >= 0),
    refill_cents bigint check (refill_cents between 100 and 99999999),
    refill_failures smallint not null default 0 check (refill_failures >= 0),
    tax_id text,
    tax_address text,
    created_at timestamptz not null,
    erased_at timestamptz,
    check ((refill_below_cents is null) = (refill_cents is null))
);
comment on table accounts.account is 'Whoever can own orders and a wallet: a person or a team. Cold.';

create table accounts.identity (
    id bigint generated always as identity primary key,
    user_id bigint not null references accounts.account,
    kind text not null check (kind in ('password', 'google', 'shopify')),
    subject text not null check (length(subject) between 1 and 320),
    secret text,
    created_at timestamptz not null,
    unique (kind, subject),
    check ((kind = 'password') = (secret is not null))
);
comment on table accounts.identity is
'A way in which a person proves who they are. A personal token may write only if there is one.';
comment on column accounts.identity.subject is 'The e-mail in lower case, or the id that the provider gives.';
comment on column accounts.identity.secret is 'An Argon2id hash, for a password.';
create index identity_user_id on accounts.identity (user_id);

create table accounts.member (
    team_id bigint not null references accounts.account,
    user_id bigint not null references accounts.account,
    role text not null check (role in ('owner', 'admin', 'developer', 'viewer')),
    created_at timestamptz not null,
    primary key (team_id, user_id)
);
create index member_user_id on accounts.member (user_id);

create table accounts.operator (
    user_id bigint primary key references accounts.account,
    role text not null check (role in ('admin', 'bookkeeper', 'support')),
    created_at timestamptz not null
);
comment on table accounts.operator is 'The people who run the catalogue and the books.';

create table accounts.token (
    id uuid primary key,
    account_id bigint not null references accounts.account,
    kind text not null check (kind in ('team_live', 'team_test', 'personal')),
    sha256 bytea not null unique check (octet_length(sha256) = 32),
    hint text not null check (length(hint) = 4),
    label text not null check (length(label) <= 100),
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    replaced_by uuid references accounts.token
);
comment on column accounts.token.sha256 is 'The token itself is shown once and kept nowhere.';
comment on column accounts.token.hint is 'Its last four characters, so that a person can tell tokens apart.';
create index token_account_id on accounts.token (account_id);

-- ----------------------------------------------------------------------------------------- catalog

create schema catalog;

create table catalog.partner (
    id integer generated by default as identity (start with 1000) primary key,
    name text not null,
    country text not null check (country ~ '^[A-Z]{2}$'),
    payout_currency text not null check (payout_currency ~ '^[A-Z]{3}$'),
    payout_method text not null check (payout_method in ('stripe_connect', 'bank_transfer')),
    stripe_account text,
    created_at timestamptz not null
);

create table catalog.project (
    id integer generated by default as identity (start with 1000) primary key,
    partner_id integer not null references catalog.partner,
    name text not null check (length(name) between 1 and 200),
    description text not null,
    unit text not null check (unit in ('tonne', 'tree', 'none')),
    partner_share_ppm integer not null check (partner_share_ppm between 700000 and 950000),
    standing text not null check (standing in ('certified', 'external_standard', 'uncertified')),
    certification_status text not null,
    registry text,
    methodology text not null,
    vintage text not null,
    durability text not null,
    risk_note text not null,
    country text not null check (country ~ '^[A-Z]{2}$'),
    latitude double precision not null check (latitude between -90 and 90),
    longitude double precision not null check (longitude between -180 and 180),
    sdgs smallint[] not null,
    image_url text,
    is_tree_provider boolean not null default false,
    provider_name text,
    is_open boolean not null default true,
    created_at timestamptz not null,
    check (not is_tree_provider or (unit = 'tree' and provider_name is not null))
);
comment on column catalog.project.partner_share_ppm is 'What the partner is paid of each cent, 70-95 %.';
comment on column catalog.project.certification_status is 'The label shown, for instance "standard 2023".';
comment on column catalog.project.sdgs is 'Numbers of the UN Sustainable Development Goals it serves.';
create unique index project_one_tree_provider on catalog.project (is_tree_provider) where is_tree_provider;

create table catalog.price (
    project_id integer not null references catalog.project,
    effective_at timestamptz not null,
    unit_price_micro bigint not null check (unit_price_micro between 1000000 and 1000000000000),
    recorded_at timestamptz not null,
    primary key (project_id, effective_at)
);
comment on table catalog.price is
'The price of one unit from an instant on; the newest one not in the future holds. Append-only.';
create trigger price_append_only before update or delete on catalog.price
for each row execute function db.refuse_change_v1();

create table catalog.portfolio (
    id integer generated by default as identity (start with 1000) primary key,
    account_id bigint,
    name text not null check (length(name) between 1 and 200),
    description text not null,
    image_url text,
    is_default boolean not null default false,
    is_open boolean not null default true,
    created_at timestamptz not null,
    check (account_id is null or not is_default)
);
comment on column catalog.portfolio.account_id is 'Set for a custom portfolio: only its account sees it.';
create unique index portfolio_one_default on catalog.portfolio (is_default) where is_default;
create index portfolio_account_id on catalog.portfolio (account_id);

create table catalog.weight (
    portfolio_id integer not null references catalog.portfolio,
    project_id integer not null references catalog.project,
    weight_ppm integer not null check (weight_ppm between 1 and 1000000),
    primary key (portfolio_id, project_id)
);
comment on column catalog.weight.weight_ppm is 'The project''s share of the money.';

create function catalog.check_portfolio_v1() returns trigger
language plpgsql
as $$
declare
    checked integer := coalesce(new.portfolio_id, old.portfolio_id);
    weights bigint;
    per_tree bigint;
    per_tonne bigint;
begin
    select sum(w.weight_ppm),
        count(*) filter (where p.unit = 'tree'),
        count(*) filter (where p.unit = 'tonne')
    into weights, per_tree, per_tonne
    from catalog.weight w
    join catalog.project p on p.id = w.project_id
    where w.portfolio_id = checked;
    if weights is not null and weights <> 1000000 then
        raise exception 'the weights of portfolio % sum to % ppm, not to 1000000', checked, weights
            using errcode = 'check_violation';
    end if;
    if per_tree > 0 then
        raise exception 'portfolio % holds a project that is priced per tree', checked
            using errcode = 'check_violation';
    end if;
    if weights is not null and per_tonne = 0 then
        raise exception 'portfolio % holds no project that is priced per tonne', checked
            using errcode = 'check_violation';
    end if;
    return null;
end
$$;
create constraint trigger weight_sum after insert or update or delete on catalog.weight
deferrable initially deferred for each row execute function catalog.check_portfolio_v1();

create table catalog.revision (
    revision bigint primary key,
    made_at timestamptz not null,
    made_by text not null,
    reason text not null,
    change jsonb not null
);
comment on table catalog.revision is
'Every change of the catalogue as it was asked for: what prices are held against. Append-only.';
create trigger revision_append_only before update or delete on catalog.revision
for each row execute function db.refuse_change_v1();

-- ------------------------------------------------------------------------------------------ ledger

create schema ledger;

create table ledger.wallet (
    account_id bigint primary key,
    balance_cents bigint not null default 0 check (balance_cents between 0 and 1000000000000),
    owed_cents bigint not null default 0 check (owed_cents >= 0),
    certified_mg bigint not null default 0 check (certified_mg >= 0),
    trees bigint not null default 0 check (trees >= 0),
    entry_count bigint not null default 0 check (entry_count >= 0)
) with (fillfactor = 50);
comment on table ledger.wallet is
'The hot row of an account. No index but its key: one on a total would end HOT updates.';
comment on column ledger.wallet.certified_mg is 'Certified and external-standard mass, less refunds.';

create table ledger.entry (
    id uuid primary key,
    account_id bigint not null,
    number bigint not null check (number > 0),
    kind text not null check (kind in ('top_up', 'deduction', 'refund', 'adjustment')),
    amount_cents bigint not null check (amount_cents <> 0),
    balance_after_cents bigint not null check (balance_after_cents >= 0),
    group_id uuid,
    description text not null,
    created_at timestamptz not null,
    check (kind = 'adjustment' or (kind = 'deduction') = (amount_cents < 0))
) partition by range (id);
comment on table ledger.entry is 'Every change of a balance of credits, with the balance after it.';
comment on column ledger.entry.number is
'Counts an account''s entries from 1 in the order in which they took effect; ids may cross.';
comment on column ledger.entry.group_id is 'The purchase that it paid for or refunds.';
create index entry_account_id on ledger.entry (account_id, number);
create trigger entry_append_only before update or delete on ledger.entry
for each row execute function db.refuse_change_v1();
select db.partition_v1('ledger.entry');

create table ledger.journal (
    id uuid primary key,
    movement_id uuid not null,
    kind text not null check (
        kind in (
            'top_up', 'refund', 'dispute', 'processor_fee', 'exchange', 'tax', 'payout',
            'adjustment', 'rounding', 'owed'
        )
    ),
    book text not null check (
        book in (
            'credits', 'processor', 'bank', 'partners', 'margin', 'fees', 'exchange', 'tax',
            'adjustments', 'receivables'
        )
    ),
    account_id bigint,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    amount_micro bigint not null check (amount_micro <> 0),
    memo text not null,
    created_at timestamptz not null
) partition by range (id);
comment on table ledger.journal is
'Every movement that is not an order line, as legs that sum to zero per currency.';
comment on column ledger.journal.movement_id is 'For a change of credits, the id of its entry.';
comment on column ledger.journal.amount_micro is 'Millionths of a hundredth of the currency''s unit.';
create index journal_movement_id on ledger.journal (movement_id);
create trigger journal_append_only before update or delete on ledger.journal
for each row execute function db.refuse_change_v1();

create function ledger.check_movement_v1() returns trigger
language plpgsql
as $$
begin
    if exists (
        select from ledger.journal j
        where j.movement_id = new.movement_id
        group by j.currency
        having sum(j.amount_micro) <> 0
    ) then
        raise exception 'the legs of movement % do not sum to zero', new.movement_id
            using errcode = 'check_violation';
    end if;
    return null;
end
$$;
create constraint trigger journal_balanced after insert on ledger.journal
deferrable initially deferred for each row execute function ledger.check_movement_v1();
select db.partition_v1('ledger.journal');

create function ledger.deduct_v1(
    entry_ids uuid[], account_ids bigint[], amounts_cents bigint[], certified_mgs bigint[],
    trees_each bigint[], group_ids uuid[], descriptions text[]
) returns table (group_id uuid, balance_after_cents bigint)
language plpgsql
as $$
declare
    wallet record;
    locked bigint[] := '{}';
    balances bigint[] := '{}';
    counts bigint[] := '{}';
    masses bigint[] := '{}';
    plants bigint[] := '{}';
    place integer;
    taken integer[] := '{}';
    balances_after bigint[] := '{}';
    numbers bigint[] := '{}';
begin
    -- Locked in sorted order, so that two batches that share accounts cannot deadlock.
    for wallet in
        select w.account_id, w.balance_cents, w.entry_count, w.certified_mg, w.trees
        from ledger.wallet w
        where w.account_id = any (account_ids)
        order by w.account_id
        for no key update
    loop
        locked := locked || wallet.account_id;
        balances := balances || wallet.balance_cents;
        counts := counts || wallet.entry_count;
        masses := masses || wallet.certified_mg;
        plants := plants || wallet.trees;
    end loop;
    -- In the order in which they came: what one order leaves is what the next one finds.
    for position in 1 .. coalesce(array_length(account_ids, 1), 0) loop
        place := array_position(locked, account_ids[position]);
        if balances[place] >= amounts_cents[position] then
            balances[place] := balances[place] - amounts_cents[position];
            counts[place] := counts[place] + 1;
            masses[place] := masses[place] + certified_mgs[position];
            plants[place] := plants[place] + trees_each[position];
            taken := taken || position;
            balances_after := balances_after || balances[place];
            numbers := numbers || counts[place];
        end if;
    end loop;
    if taken = '{}' then
        return;
    end if;
    -- By key, without a join: a plan for many rows would read the whole table.
    update ledger.wallet w
    set balance_cents = balances[array_position(locked, w.account_id)],
        certified_mg = masses[array_position(locked, w.account_id)],
        trees = plants[array_position(locked, w.account_id)],
        entry_count = counts[array_position(locked, w.account_id)]
    where w.account_id = any (locked);
    insert into ledger.entry (
        id, account_id, number, kind, amount_cents, balance_after_cents, group_id, description,
        created_at
    )
    select entry_ids[u.t], account_ids[u.t], u.number, 'deduction', -amounts_cents[u.t], u.balance,
        group_ids[u.t], descriptions[u.t], now()
    from unnest(taken, numbers, balances_after) as u (t, number, balance);
    return query
    select group_ids[u.t], u.balance from unnest(taken, balances_after) as u (t, balance);
end
$$;
comment on function ledger.deduct_v1 is
'Takes the amounts from the wallets, one order a position, and writes their entries. What comes back is
what was taken; a position whose wallet does not hold enough is left out and changes nothing.';

create function ledger.adjust_v1(
    entry_id uuid, leg_ids uuid[], account bigint, change_cents bigint, reason text
) returns bigint
language plpgsql
as $$
declare
    changed ledger.wallet;
begin
    -- Opened apart: a row that is proposed with less than zero would be refused before its conflict.
    insert into ledger.wallet (account_id) values (account) on conflict (account_id) do nothing;
    update ledger.wallet w
    set balance_cents = w.balance_cents + change_cents, entry_count = w.entry_count + 1
    where w.account_id = account
    returning * into changed;
    insert into ledger.entry (
        id, account_id, number, kind, amount_cents, balance_after_cents, description, created_at
    )
    values (
        entry_id, account, changed.entry_count, 'adjustment', change_cents, changed.balance_cents,
        reason, now()
    );
    insert into ledger.journal (
        id, movement_id, kind, book, account_id, currency, amount_micro, memo, created_at
    )
    values
        (leg_ids[1], entry_id, 'adjustment', 'credits', account, 'USD', change_cents * 1000000,
            reason, now()),
        (leg_ids[2], entry_id, 'adjustment', 'adjustments', account, 'USD',
            -change_cents * 1000000, reason, now());
    return changed.balance_cents;
end
$$;
comment on function ledger.adjust_v1 is
'Changes a balance by an operator''s decision and writes both legs; gives the balance after. A balance
that would fall below zero is refused by the wallet''s check.';

create function ledger.add_impact_v1(account bigint, added_mg bigint, added_trees bigint) returns void
language sql
as $$
    insert into ledger.wallet (account_id) values (account) on conflict (account_id) do nothing;
    update ledger.wallet w
    set certified_mg = w.certified_mg + added_mg, trees = w.trees + added_trees
    where w.account_id = account
$$;
comment on function ledger.add_impact_v1 is 'Raises an account''s totals by an order paid otherwise.';

create function ledger.count_by_mass_v1() returns table (certified_mg bigint, accounts bigint)
language sql stable
as $$
    select w.certified_mg, count(*) from ledger.wallet w where w.certified_mg > 0 group by w.certified_mg
$$;
comment on function ledger.count_by_mass_v1 is 'How many accounts have each certified mass above zero.';

-- ----------------------------------------------------------------------------------- notifications

create schema notifications;

create table notifications.outbox (
    id uuid primary key,
    topic text not null,
    subject_id uuid not null,
    due_at timestamptz not null,
    created_at timestamptz not null
);
comment on table notifications.outbox is
'What the rest of the house must hear of, written in the commit that makes it true; a relay turns each
row into a job. Ids only, never a person''s data.';
create index outbox_due_at on notifications.outbox (due_at, id);

create table notifications.sent (
    message_id text primary key,
    kind text not null,
    subject_id uuid not null,
    attempt integer not null default 1 check (attempt > 0),
    claimed_until timestamptz,
    sent_at timestamptz,
    refused_at timestamptz,
    refusal_code smallint check (
        refusal_code is null or (refused_at is not null and refusal_code between 500 and 599)
    ),
    constraint sent_outcome_check check (num_nonnulls(claimed_until, sent_at, refused_at) <= 1)
);
comment on table notifications.sent is
'Every mail that was taken up, by its stable Message-ID: none that left, or was refused for good, is sent
again.';
comment on column notifications.sent.attempt is 'How many times it was taken up.';
comment on column notifications.sent.claimed_until is
'Until then it is in the hands of one worker; null if nobody is sending it.';
comment on column notifications.sent.refusal_code is
'The SMTP reply code of a refusal; null if the mail was refused before a server was asked.';
create index sent_subject_id on notifications.sent (subject_id);

create function notifications.tell_v1(
    ids uuid[], topics text[], subject_ids uuid[], delay interval default '0'
) returns bigint
language sql
as $$
    with told as (
        insert into notifications.outbox (id, topic, subject_id, due_at, created_at)
        select t.id, t.topic, t.subject_id, now() + delay, now()
        from unnest(ids, topics, subject_ids) as t (id, topic, subject_id)
        returning 1
    )
    select count(*) from told
$$;

-- ---------------------------------------------------------------------------------------- payments

create schema payments;

create table payments.payment (
    id uuid primary key,
    subject text not null check (subject in ('purchase', 'top_up')),
    subject_id uuid not null,
    account_id bigint not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    amount_cents bigint not null check (amount_cents > 0),
    rate numeric(20, 10) not null check (rate > 0),
    rate_on date not null,
    customer text not null,
    request bytea not null,
    processor_key text not null,
    first_sent_at timestamptz not null,
    last_sent_at timestamptz not null,
    leased_until timestamptz,
    intent_id text,
    charge_id text,
    state text not null check (state in ('pending', 'succeeded', 'failed')),
    failure_code text,
    created_at timestamptz not null,
    settled_at timestamptz,
    check ((state = 'pending') = (settled_at is null)),
    check (state <> 'succeeded' or charge_id is not null)
) partition by range (id);
comment on table payments.payment is 'Money asked of a card; the request is frozen to the byte.';
comment on column payments.payment.leased_until is
'Until then whoever sent the request may still be waiting for its answer.';
create index payment_subject_id on payments.payment (subject_id);
create index payment_account_id on payments.payment (account_id, id);
create index payment_pending on payments.payment (created_at) where state = 'pending';
select db.partition_v1('payments.payment');

create table payments.refund (
    id uuid primary key,
    payment_id uuid not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    reason text not null,
    request bytea not null,
    processor_key text not null,
    first_sent_at timestamptz,
    last_sent_at timestamptz,
    refund_id text unique,
    state text not null check (state in ('pending', 'succeeded', 'failed')),
    failure_code text,
    created_at timestamptz not null,
    settled_at timestamptz,
    check ((state = 'pending') = (settled_at is null))
);
create index refund_payment_id on payments.refund (payment_id);
create index refund_pending on payments.refund (created_at) where state = 'pending';

create table payments.dispute (
    dispute_id text primary key,
    payment_id uuid not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    state text not null check (state in ('open', 'won', 'lost')),
    reason text not null,
    opened_at timestamptz not null,
    closed_at timestamptz,
    check ((state = 'open') = (closed_at is null))
);
create index dispute_payment_id on payments.dispute (payment_id);

create table payments.inbox (
    id uuid primary key,
    event_id text not null unique,
    kind text not null,
    payload bytea not null,
    received_at timestamptz not null,
    done_at timestamptz
);
comment on table payments.inbox is 'Events of the processor, each inserted once and then worked on.';
create index inbox_waiting on payments.inbox (received_at) where done_at is null;

create function payments.open_v1(
    payment_id uuid, paid_for text, paid_for_id uuid, account bigint, minor bigint, code text,
    cents bigint, units_per_dollar numeric, units_on date, stripe_customer text, frozen bytea,
    key_at_processor text, lease interval
) returns void
language sql
as $$
    insert into payments.payment (
        id, subject, subject_id, account_id, amount_minor, currency, amount_cents, rate, rate_on,
        customer, request, processor_key, first_sent_at, last_sent_at, leased_until, state,
        created_at
    )
    values (
        payment_id, paid_for, paid_for_id, account, minor, code, cents, units_per_dollar, units_on,
        stripe_customer, frozen, key_at_processor, now(), now(), now() + lease, 'pending', now()
    )
$$;
comment on function payments.open_v1 is
'Records what is about to be asked of a card; it counts as sent from now on.';

create table payments.exchange_rate (
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    recorded_at timestamptz not null,
    rate numeric(20, 10) not null check (rate > 0),
    rate_on date not null,
    source text not null check (source in ('ecb', 'operator')),
    primary key (currency, recorded_at)
);
comment on table payments.exchange_rate is
'Units of a currency for one US dollar; the newest row of a currency holds. Append-only.';
create trigger exchange_rate_append_only before update or delete on payments.exchange_rate
for each row execute function db.refuse_change_v1();

create table payments.exception (
    id uuid primary key,
    kind text not null check (kind in ('outcome_unknown', 'charge_without_order', 'mismatch')),
    subject text not null,
    detail text not null,
    opened_at timestamptz not null,
    resolved_at timestamptz,
    resolution text,
    check ((resolved_at is null) = (resolution is null))
);
comment on table payments.exception is 'What a person has to look at before the books can close.';
create unique index exception_open on payments.exception (subject, kind) where resolved_at is null;

-- ------------------------------------------------------------------------------------------ orders

create schema orders;

create table orders.purchase (
    id uuid primary key,
    account_id bigint not null,
    kind text not null check (kind in ('offset', 'tree', 'project')),
    state text not null check (
        state in ('pending', 'paid', 'partly_refunded', 'refunded', 'disputed', 'failed')
    ),
    payment_method text not null check (payment_method in ('stripe', 'credits')),
    source text not null,
    portfolio_id integer,
    project_id integer,
    mass_mg bigint not null check (mass_mg >= 0),
    trees bigint not null check (trees >= 0),
    unit_price_cents bigint,
    price_revision bigint not null,
    amount_cents bigint not null check (amount_cents > 0),
    charge_minor bigint not null check (charge_minor > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    rate numeric(20, 10) not null default 1 check (rate > 0),
    rate_on date,
    tax_rate_ppm integer not null default 0 check (tax_rate_ppm >= 0),
    tax_minor bigint not null default 0 check (tax_minor >= 0),
    seller_tax_id text,
    seller_address text,
    buyer_tax_id text,
    buyer_address text,
    receipt_number bigint,
    send_receipt boolean not null,
    charge_id text,
    certificate_slug uuid not null,
    quote jsonb,
    created_at timestamptz not null,
    paid_at timestamptz,
    refunded_at timestamptz,
    check (payment_method <> 'credits' or (currency = 'USD' and charge_minor = amount_cents)),
    check (kind <> 'offset' or (portfolio_id is not null and mass_mg > 0)),
    check (state in ('pending', 'failed') or paid_at is not null)
) partition by range (id);
create sequence orders.receipt_number;
comment on table orders.purchase is 'One order of any kind, priced once and frozen.';
comment on column orders.purchase.unit_price_cents is 'A portfolio''s cost per ton as shown and charged.';
comment on column orders.purchase.price_revision is 'The revision of the catalogue that priced it.';
comment on column orders.purchase.rate is 'Units of the currency for one US dollar, at `rate_on`.';
comment on column orders.purchase.quote is 'The split of an order that is not paid yet: its lines to be.';
create index purchase_account_id on orders.purchase (account_id, id);
select db.partition_v1('orders.purchase');

create table orders.line (
    id uuid primary key,
    purchase_id uuid not null,
    account_id bigint not null,
    project_id integer not null,
    partner_id integer not null,
    kind text not null check (kind in ('offset', 'tree', 'donation')),
    standing text not null check (standing in ('certified', 'external_standard', 'uncertified')),
    certification_status text not null,
    weight_ppm integer not null check (weight_ppm between 1 and 1000000),
    unit_price_micro bigint check (unit_price_micro > 0),
    mass_mg bigint not null check (mass_mg >= 0),
    trees bigint not null check (trees >= 0),
    amount_micro bigint not null check (amount_micro >= 0),
    billed_micro bigint not null check (billed_micro >= 0),
    partner_share_ppm integer not null check (partner_share_ppm between 0 and 1000000),
    partner_micro bigint not null check (partner_micro >= 0),
    margin_micro bigint not null check (margin_micro >= 0),
    created_at timestamptz not null,
    refunded_at timestamptz,
    check (amount_micro = partner_micro + margin_micro)
) partition by range (id);
comment on table orders.line is
'A project''s part of a purchase, written when it is paid: no list, total or month end meets a pending row.';
comment on column orders.line.billed_micro is
'The part as shown to the customer: whole cents where the order is a dollar or more.';
comment on column orders.line.standing is 'The project''s standing when it was paid, frozen.';
create index line_account_id on orders.line (account_id, kind, id);
create index line_purchase_id on orders.line (purchase_id);
select db.partition_v1('orders.line');

create table orders.party (
    purchase_id uuid primary key,
    on_behalf_of_name text,
    on_behalf_of_email text,
    note text,
    metadata jsonb
) partition by range (purchase_id);
comment on table orders.party is 'What a purchase holds of persons; it can be erased by itself.';
select db.partition_v1('orders.party');

create view orders.listed_line as
select l.id, l.purchase_id, l.account_id, l.kind, p.charge_id, l.created_at, l.mass_mg, l.trees,
    l.billed_micro, p.currency, p.portfolio_id, l.project_id, l.certification_status, l.standing,
    p.source, p.payment_method, p.certificate_slug, l.refunded_at, y.note, y.on_behalf_of_name,
    y.on_behalf_of_email, y.metadata
from orders.line l
join orders.purchase p on p.id = l.purchase_id
left join orders.party y on y.purchase_id = l.purchase_id;
comment on view orders.listed_line is 'A line as lists show it, with what they show of its purchase.';

create table orders.tag (
    account_id bigint not null,
    key text not null,
    value text not null,
    purchase_id uuid not null,
    primary key (account_id, key, value, purchase_id)
);
comment on table orders.tag is 'A purchase''s metadata as pairs, by which lists are filtered.';

create table orders.charge (
    charge_id text primary key,
    purchase_id uuid not null unique
);
comment on table orders.charge is 'From a processor''s charge to the purchase it paid for.';

create table orders.certificate_slug (
    slug uuid primary key,
    purchase_id uuid not null
);
comment on table orders.certificate_slug is 'From the public address of a certificate to its purchase.';

-- ------------------------------------------------------------------------------------------ impact

create schema impact;

create table impact.ranking (
    certified_mg bigint primary key check (certified_mg > 0),
    accounts bigint not null check (accounts > 0),
    rank bigint not null check (rank > 0)
);
comment on table impact.ranking is
'For each mass that some account has: how many have it, and 1 + how many have more. A job makes it anew;
an account''s rank is that of the largest mass which is not above its own.';

create table impact.feed (
    is_current boolean primary key default true check (is_current),
    body bytea not null,
    etag text not null,
    built_at timestamptz not null
);
comment on table impact.feed is 'The public feed as it is served until the next hour; one row.';

create table impact.hidden_order (
    purchase_id uuid primary key,
    reason text not null,
    hidden_at timestamptz not null
);
comment on table impact.hidden_order is 'Orders that an operator keeps out of the public feed.';
