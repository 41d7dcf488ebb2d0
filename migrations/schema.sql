-- The schema as the migrations leave it, written by `make schema` and held equal by a test.
-- Not a migration: read it, review its changes, never run it. Monthly partitions are left out.

CREATE SCHEMA accounts;

CREATE SCHEMA catalog;

CREATE SCHEMA db;

CREATE SCHEMA http;

CREATE SCHEMA impact;

CREATE SCHEMA ledger;

CREATE SCHEMA notifications;

CREATE SCHEMA orders;

CREATE SCHEMA payments;

CREATE SCHEMA pgqueuer;

COMMENT ON SCHEMA pgqueuer IS 'Owned by PgQueuer: jobs that wait or run, and when schedules are due.';

CREATE TYPE pgqueuer.pgqueuer_status AS ENUM (
    'queued',
    'picked',
    'successful',
    'exception',
    'canceled',
    'deleted',
    'failed'
);

CREATE FUNCTION catalog.check_portfolio_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION db.make_partitions_v1(months_ahead integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
declare
    table_name text;
    child text;
    told record;
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
            -- What the planner is told of a column is not taken over by `like`.
            for told in
                select a.attname, array_to_string(a.attoptions, ', ') as options
                from pg_attribute a
                where a.attrelid = table_name::regclass and a.attoptions is not null
            loop
                execute format(
                    'alter table %s alter column %I set (%s)', child, told.attname, told.options
                );
            end loop;
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

COMMENT ON FUNCTION db.make_partitions_v1(months_ahead integer) IS 'Makes what is missing of the monthly partitions of every large table; safe to repeat.';

CREATE FUNCTION db.partition_v1(table_name text) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    insert into db.partitioned (parent) values (table_name);
    execute format(
        'create table %s partition of %s for values from (minvalue) to (%L)',
        table_name || '_first', table_name, db.uuid_floor_v1('2026-12-01 00:00:00+00')
    );
end
$$;

COMMENT ON FUNCTION db.partition_v1(table_name text) IS 'Called in the migration that makes a large table: registers it and makes its first partition.';

CREATE FUNCTION db.refuse_change_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception '%.% is append-only: write a new row instead', tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end
$$;

CREATE FUNCTION db.uuid_floor_v1(at timestamp with time zone) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

COMMENT ON FUNCTION db.uuid_floor_v1(at timestamp with time zone) IS 'The lowest UUIDv7 of an instant (RFC 9562, section 5.7).';

CREATE FUNCTION http.answer_key_v1(subject uuid, answered_status smallint, answered bytea) RETURNS bigint
    LANGUAGE sql
    AS $$
    with answered_keys as (
        update http.idempotency_key
        set status = answered_status, answer = answered
        where subject_id = subject and answer is null
        returning 1
    )
    select count(*) from answered_keys
$$;

COMMENT ON FUNCTION http.answer_key_v1(subject uuid, answered_status smallint, answered bytea) IS 'Keeps what was answered to a request whose outcome was not known when its key was claimed.';

CREATE FUNCTION http.claim_keys_v1(key_hashes bytea[], fingerprints bytea[]) RETURNS TABLE(ordinal integer, verdict text, subject_id uuid, status smallint, answer bytea)
    LANGUAGE plpgsql
    AS $$
declare
    stored http.idempotency_key;
    is_ours boolean;
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
            is_ours := key_hashes[position] <> all (key_hashes[1 : position - 1])
                and pg_try_advisory_xact_lock(
                    ('x' || encode(substring(key_hashes[position] for 8), 'hex'))::bit(64)::bigint
                );
            select * into stored from http.idempotency_key k where k.key_hash = key_hashes[position];
            if found and (is_ours or stored.answer is not null) then
                subject_id := stored.subject_id;
                status := stored.status;
                answer := stored.answer;
                verdict := case
                    when stored.fingerprint <> fingerprints[position] then 'mismatch'
                    when stored.answer is null then 'pending'
                    else 'replay'
                end;
            elsif not is_ours then
                verdict := 'in_flight';
            end if;
        end if;
        return next;
    end loop;
end
$$;

COMMENT ON FUNCTION http.claim_keys_v1(key_hashes bytea[], fingerprints bytea[]) IS 'One verdict for each position: free (also without a key), in_flight, mismatch, replay, or pending if the
outcome of the first request is not known yet. A key that is free stays locked until the transaction ends.';

CREATE FUNCTION http.forget_key_v1(subject uuid) RETURNS bigint
    LANGUAGE sql
    AS $$
    with forgotten as (
        delete from http.idempotency_key where subject_id = subject and answer is null returning 1
    )
    select count(*) from forgotten
$$;

COMMENT ON FUNCTION http.forget_key_v1(subject uuid) IS 'Frees the key of a request that turned out to have made nothing.';

CREATE FUNCTION http.remember_v1(key_hashes bytea[], fingerprints bytea[], subject_ids uuid[], statuses smallint[], answers bytea[]) RETURNS bigint
    LANGUAGE sql
    AS $$
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

CREATE FUNCTION ledger.add_impact_v1(account bigint, added_mg bigint, added_trees bigint) RETURNS void
    LANGUAGE sql
    AS $$
    insert into ledger.wallet (account_id) values (account) on conflict (account_id) do nothing;
    update ledger.wallet w
    set certified_mg = w.certified_mg + added_mg, trees = w.trees + added_trees
    where w.account_id = account
$$;

COMMENT ON FUNCTION ledger.add_impact_v1(account bigint, added_mg bigint, added_trees bigint) IS 'Raises an account''s totals by an order paid otherwise, or lowers them by what was refunded.';

CREATE FUNCTION ledger.adjust_v1(entry_id uuid, leg_ids uuid[], account bigint, change_cents bigint, reason text) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION ledger.adjust_v1(entry_id uuid, leg_ids uuid[], account bigint, change_cents bigint, reason text) IS 'Changes a balance by an operator''s decision and writes both legs; gives the balance after. A balance
that would fall below zero is refused by the wallet''s check.';

CREATE FUNCTION ledger.certified_masses_v1() RETURNS TABLE(certified_mg bigint)
    LANGUAGE sql STABLE
    AS $$
    select w.certified_mg from ledger.wallet w where w.certified_mg > 0
$$;

COMMENT ON FUNCTION ledger.certified_masses_v1() IS 'The certified mass of each account that has any. As a table, so that the planner can put it into the statement that asks.';

CREATE FUNCTION ledger.certified_mg_v1(account bigint) RETURNS TABLE(certified_mg bigint)
    LANGUAGE sql STABLE
    AS $$
    select w.certified_mg from ledger.wallet w where w.account_id = account
$$;

COMMENT ON FUNCTION ledger.certified_mg_v1(account bigint) IS 'Certified and external-standard mass of an account, less refunds; no row before its first credit. As a table, so that the planner can put it into the statement that asks.';

CREATE FUNCTION ledger.change_v1(entry_id uuid, leg_id uuid, account bigint, entry_kind text, movement_kind text, change_cents bigint, of_group uuid, said text) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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
        id, account_id, number, kind, amount_cents, balance_after_cents, group_id, description,
        created_at
    )
    values (
        entry_id, account, changed.entry_count, entry_kind, change_cents, changed.balance_cents,
        of_group, said, now()
    );
    insert into ledger.journal (
        id, movement_id, kind, book, account_id, currency, amount_micro, memo, created_at
    )
    values (
        leg_id, entry_id, movement_kind, 'credits', account, 'USD', change_cents * 1000000, said, now()
    );
    return changed.balance_cents;
end
$$;

COMMENT ON FUNCTION ledger.change_v1(entry_id uuid, leg_id uuid, account bigint, entry_kind text, movement_kind text, change_cents bigint, of_group uuid, said text) IS 'Changes a balance, with its entry and its leg in the book of credits; gives the balance after. Whoever
calls it writes the legs that balance this one in the same transaction. A balance that would fall below
zero is refused by the wallet''s check.';

CREATE FUNCTION ledger.check_movement_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION ledger.deduct_v1(entry_ids uuid[], account_ids bigint[], amounts_cents bigint[], certified_mgs bigint[], trees_each bigint[], group_ids uuid[], descriptions text[]) RETURNS TABLE(group_id uuid, balance_after_cents bigint)
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION ledger.deduct_v1(entry_ids uuid[], account_ids bigint[], amounts_cents bigint[], certified_mgs bigint[], trees_each bigint[], group_ids uuid[], descriptions text[]) IS 'Takes the amounts from the wallets, one order a position, and writes their entries. What comes back is
what was taken; a position whose wallet does not hold enough is left out and changes nothing.';

CREATE FUNCTION notifications.tell_v1(ids uuid[], topics text[], subject_ids uuid[], delay interval DEFAULT '00:00:00'::interval) RETURNS bigint
    LANGUAGE sql
    AS $$
    with told as (
        insert into notifications.outbox (id, topic, subject_id, due_at, created_at)
        select t.id, t.topic, t.subject_id, now() + delay, now()
        from unnest(ids, topics, subject_ids) as t (id, topic, subject_id)
        returning 1
    )
    select count(*) from told
$$;

CREATE FUNCTION payments.open_top_up_v1(top_up_id uuid, account bigint, asked_by text, cents bigint) RETURNS void
    LANGUAGE sql
    AS $$
    insert into payments.top_up (id, account_id, origin, amount_cents, state, created_at)
    values (top_up_id, account, asked_by, cents, 'pending', now())
$$;

COMMENT ON FUNCTION payments.open_top_up_v1(top_up_id uuid, account bigint, asked_by text, cents bigint) IS 'Records credits that a card is about to be asked for.';

CREATE FUNCTION payments.open_v1(payment_id uuid, paid_for text, paid_for_id uuid, account bigint, minor bigint, code text, cents bigint, units_per_dollar numeric, units_on date, stripe_customer text, frozen bytea, key_at_processor text, lease interval) RETURNS void
    LANGUAGE sql
    AS $$
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

COMMENT ON FUNCTION payments.open_v1(payment_id uuid, paid_for text, paid_for_id uuid, account bigint, minor bigint, code text, cents bigint, units_per_dollar numeric, units_on date, stripe_customer text, frozen bytea, key_at_processor text, lease interval) IS 'Records what is about to be asked of a card; it counts as sent from now on.';

CREATE FUNCTION pgqueuer.fn_pgqueuer_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    to_emit BOOLEAN := false;  -- Flag to decide whether to emit a notification
BEGIN
    -- Check operation type and set the emit flag accordingly
    IF TG_OP = 'UPDATE' AND OLD IS DISTINCT FROM NEW THEN
        to_emit := true;
    ELSIF TG_OP = 'DELETE' THEN
        to_emit := true;
    ELSIF TG_OP = 'INSERT' THEN
        to_emit := true;
    ELSIF TG_OP = 'TRUNCATE' THEN
        to_emit := true;
    END IF;

    -- Perform notification if the emit flag is set
    IF to_emit THEN
        PERFORM pg_notify(
            'ch_pgqueuer',
            json_build_object(
                'channel', 'ch_pgqueuer',
                'operation', lower(TG_OP),
                'sent_at', NOW(),
                'table', TG_TABLE_NAME,
                'type', 'table_changed_event'
            )::text
        );
    END IF;

    -- Return appropriate value based on the operation
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        RETURN NEW;
    ELSIF TG_OP = 'DELETE' THEN
        RETURN OLD;
    ELSE
        RETURN NULL; -- For TRUNCATE and other non-row-specific contexts
    END IF;

END;
$$;

CREATE TABLE accounts.account (
    id bigint NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    billing_email text,
    currency text DEFAULT 'USD'::text NOT NULL,
    language text DEFAULT 'en'::text NOT NULL,
    stripe_customer text,
    stripe_payment_method text,
    is_public boolean DEFAULT false NOT NULL,
    image_url text,
    profile_url text,
    refill_below_cents bigint,
    refill_cents bigint,
    refill_failures smallint DEFAULT 0 NOT NULL,
    tax_id text,
    tax_address text,
    created_at timestamp with time zone NOT NULL,
    erased_at timestamp with time zone,
    CONSTRAINT account_billing_email_check CHECK (((length(billing_email) >= 3) AND (length(billing_email) <= 320))),
    CONSTRAINT account_check CHECK (((refill_below_cents IS NULL) = (refill_cents IS NULL))),
    CONSTRAINT account_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT account_kind_check CHECK ((kind = ANY (ARRAY['user'::text, 'team'::text]))),
    CONSTRAINT account_language_check CHECK ((language = ANY (ARRAY['en'::text, 'de'::text, 'fr'::text, 'es'::text]))),
    CONSTRAINT account_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT account_refill_below_cents_check CHECK ((refill_below_cents >= 0)),
    CONSTRAINT account_refill_cents_check CHECK (((refill_cents >= 100) AND (refill_cents <= 99999999))),
    CONSTRAINT account_refill_failures_check CHECK ((refill_failures >= 0))
);

COMMENT ON TABLE accounts.account IS 'Whoever can own orders and a wallet: a person or a team. Cold.';

ALTER TABLE accounts.account ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME accounts.account_id_seq
    START WITH 1001
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE accounts.identity (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    secret text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT identity_check CHECK (((kind = 'password'::text) = (secret IS NOT NULL))),
    CONSTRAINT identity_kind_check CHECK ((kind = ANY (ARRAY['password'::text, 'google'::text, 'shopify'::text]))),
    CONSTRAINT identity_subject_check CHECK (((length(subject) >= 1) AND (length(subject) <= 320)))
);

COMMENT ON TABLE accounts.identity IS 'A way in which a person proves who they are. A personal token may write only if there is one.';

COMMENT ON COLUMN accounts.identity.subject IS 'The e-mail in lower case, or the id that the provider gives.';

COMMENT ON COLUMN accounts.identity.secret IS 'An Argon2id hash, for a password.';

ALTER TABLE accounts.identity ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME accounts.identity_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE accounts.member (
    team_id bigint NOT NULL,
    user_id bigint NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT member_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'developer'::text, 'viewer'::text])))
);

CREATE TABLE accounts.operator (
    user_id bigint NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT operator_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'bookkeeper'::text, 'support'::text])))
);

COMMENT ON TABLE accounts.operator IS 'The people who run the catalogue and the books.';

CREATE TABLE accounts.refill (
    account_id bigint NOT NULL,
    below_cents bigint NOT NULL,
    amount_cents bigint NOT NULL,
    failures smallint DEFAULT 0 NOT NULL,
    is_on boolean DEFAULT true NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT refill_amount_cents_check CHECK (((amount_cents >= 100) AND (amount_cents <= 99999999))),
    CONSTRAINT refill_below_cents_check CHECK (((below_cents >= 1) AND (below_cents <= 99999999))),
    CONSTRAINT refill_failures_check CHECK ((failures >= 0))
);

COMMENT ON TABLE accounts.refill IS 'When an account''s credits are topped up by themselves: below what balance, by how much. It is switched
off after failures in a row, and by its owner.';

CREATE TABLE accounts.refill_failure (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    amount_cents bigint NOT NULL,
    code text NOT NULL,
    number smallint NOT NULL,
    left_on boolean NOT NULL,
    failed_at timestamp with time zone NOT NULL,
    CONSTRAINT refill_failure_amount_cents_check CHECK ((amount_cents > 0)),
    CONSTRAINT refill_failure_number_check CHECK ((number > 0))
);

COMMENT ON TABLE accounts.refill_failure IS 'Refills that came to nothing, each counted once: what the mail about it says.';

COMMENT ON COLUMN accounts.refill_failure.id IS 'The top-up''s, or one of its own where no card could be asked.';

COMMENT ON COLUMN accounts.refill_failure.number IS 'Which one in a row it was.';

COMMENT ON COLUMN accounts.refill_failure.left_on IS 'Whether refills are tried again after it.';

CREATE TABLE accounts.token (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    kind text NOT NULL,
    sha256 bytea NOT NULL,
    hint text NOT NULL,
    label text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    replaced_by uuid,
    CONSTRAINT token_hint_check CHECK ((length(hint) = 4)),
    CONSTRAINT token_kind_check CHECK ((kind = ANY (ARRAY['team_live'::text, 'team_test'::text, 'personal'::text]))),
    CONSTRAINT token_label_check CHECK ((length(label) <= 100)),
    CONSTRAINT token_sha256_check CHECK ((octet_length(sha256) = 32))
);

COMMENT ON COLUMN accounts.token.sha256 IS 'The token itself is shown once and kept nowhere.';

COMMENT ON COLUMN accounts.token.hint IS 'Its last four characters, so that a person can tell tokens apart.';

CREATE TABLE catalog.partner (
    id integer NOT NULL,
    name text NOT NULL,
    country text NOT NULL,
    payout_currency text NOT NULL,
    payout_method text NOT NULL,
    stripe_account text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT partner_country_check CHECK ((country ~ '^[A-Z]{2}$'::text)),
    CONSTRAINT partner_payout_currency_check CHECK ((payout_currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT partner_payout_method_check CHECK ((payout_method = ANY (ARRAY['stripe_connect'::text, 'bank_transfer'::text])))
);

ALTER TABLE catalog.partner ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME catalog.partner_id_seq
    START WITH 1000
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE catalog.portfolio (
    id integer NOT NULL,
    account_id bigint,
    name text NOT NULL,
    description text NOT NULL,
    image_url text,
    is_default boolean DEFAULT false NOT NULL,
    is_open boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT portfolio_check CHECK (((account_id IS NULL) OR (NOT is_default))),
    CONSTRAINT portfolio_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);

COMMENT ON COLUMN catalog.portfolio.account_id IS 'Set for a custom portfolio: only its account sees it.';

ALTER TABLE catalog.portfolio ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME catalog.portfolio_id_seq
    START WITH 1000
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE catalog.price (
    project_id integer NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    unit_price_micro bigint NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT price_unit_price_micro_check CHECK (((unit_price_micro >= 1000000) AND (unit_price_micro <= '1000000000000'::bigint)))
);

COMMENT ON TABLE catalog.price IS 'The price of one unit from an instant on; the newest one not in the future holds. Append-only.';

CREATE TABLE catalog.project (
    id integer NOT NULL,
    partner_id integer NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    unit text NOT NULL,
    partner_share_ppm integer NOT NULL,
    standing text NOT NULL,
    certification_status text NOT NULL,
    registry text,
    methodology text NOT NULL,
    vintage text NOT NULL,
    durability text NOT NULL,
    risk_note text NOT NULL,
    country text NOT NULL,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    sdgs smallint[] NOT NULL,
    image_url text,
    is_tree_provider boolean DEFAULT false NOT NULL,
    provider_name text,
    is_open boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT project_check CHECK (((NOT is_tree_provider) OR ((unit = 'tree'::text) AND (provider_name IS NOT NULL)))),
    CONSTRAINT project_country_check CHECK ((country ~ '^[A-Z]{2}$'::text)),
    CONSTRAINT project_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT project_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision))),
    CONSTRAINT project_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT project_partner_share_ppm_check CHECK (((partner_share_ppm >= 700000) AND (partner_share_ppm <= 950000))),
    CONSTRAINT project_standing_check CHECK ((standing = ANY (ARRAY['certified'::text, 'external_standard'::text, 'uncertified'::text]))),
    CONSTRAINT project_unit_check CHECK ((unit = ANY (ARRAY['tonne'::text, 'tree'::text, 'none'::text])))
);

COMMENT ON COLUMN catalog.project.partner_share_ppm IS 'What the partner is paid of each cent, 70-95 %.';

COMMENT ON COLUMN catalog.project.certification_status IS 'The label shown, for instance "standard 2023".';

COMMENT ON COLUMN catalog.project.sdgs IS 'Numbers of the UN Sustainable Development Goals it serves.';

ALTER TABLE catalog.project ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME catalog.project_id_seq
    START WITH 1000
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE catalog.revision (
    revision bigint NOT NULL,
    made_at timestamp with time zone NOT NULL,
    made_by text NOT NULL,
    reason text NOT NULL,
    change jsonb NOT NULL
);

COMMENT ON TABLE catalog.revision IS 'Every change of the catalogue as it was asked for: what prices are held against. Append-only.';

CREATE TABLE catalog.weight (
    portfolio_id integer NOT NULL,
    project_id integer NOT NULL,
    weight_ppm integer NOT NULL,
    CONSTRAINT weight_weight_ppm_check CHECK (((weight_ppm >= 1) AND (weight_ppm <= 1000000)))
);

COMMENT ON COLUMN catalog.weight.weight_ppm IS 'The project''s share of the money.';

CREATE TABLE db.change (
    topic text NOT NULL,
    revision bigint NOT NULL,
    CONSTRAINT change_revision_check CHECK ((revision > 0))
);

COMMENT ON TABLE db.change IS 'What caches follow: raised in the transaction that changes a topic.';

CREATE TABLE db.partitioned (
    parent text NOT NULL
);

COMMENT ON TABLE db.partitioned IS 'Tables range-partitioned by month on the UUIDv7 in their key.';

CREATE UNLOGGED TABLE http.heartbeat (
    process_id uuid NOT NULL,
    beat_at timestamp with time zone NOT NULL,
    accounts bigint[] NOT NULL,
    owed double precision[] NOT NULL,
    wants double precision[] NOT NULL,
    uses double precision[] NOT NULL,
    CONSTRAINT heartbeat_accounts_check CHECK ((cardinality(accounts) <= 256)),
    CONSTRAINT heartbeat_check CHECK (((cardinality(owed) = cardinality(accounts)) AND (cardinality(wants) = cardinality(accounts)) AND (cardinality(uses) = cardinality(accounts))))
)
WITH (fillfactor='50');

COMMENT ON TABLE http.heartbeat IS 'A row for each process that serves: what it let in, and needs, of the accounts near their rate limit.';

COMMENT ON COLUMN http.heartbeat.accounts IS 'Account ids; of a test token a number below zero, from its hash.';

COMMENT ON COLUMN http.heartbeat.owed IS 'Requests that the process has let in and whose tokens have not come back; by account.';

COMMENT ON COLUMN http.heartbeat.wants IS 'Requests a second that it could let in; by account.';

COMMENT ON COLUMN http.heartbeat.uses IS 'Requests a second that it has let in of late; by account.';

CREATE TABLE http.idempotency_key (
    key_hash bytea NOT NULL,
    fingerprint bytea NOT NULL,
    subject_id uuid NOT NULL,
    status smallint,
    answer bytea,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_key_check CHECK (((status IS NULL) = (answer IS NULL))),
    CONSTRAINT idempotency_key_fingerprint_check CHECK ((octet_length(fingerprint) = 32)),
    CONSTRAINT idempotency_key_key_hash_check CHECK ((octet_length(key_hash) = 32))
);

COMMENT ON TABLE http.idempotency_key IS 'What was answered to a request that made something; without an answer, its outcome is not known yet.';

COMMENT ON COLUMN http.idempotency_key.key_hash IS 'SHA-256 of account, path and the client''s key.';

COMMENT ON COLUMN http.idempotency_key.fingerprint IS 'SHA-256 of the request after decoding.';

COMMENT ON COLUMN http.idempotency_key.subject_id IS 'The purchase or payment that the request made.';

CREATE TABLE impact.certificate (
    number text NOT NULL,
    purchase_id uuid NOT NULL,
    account_id bigint NOT NULL,
    edition bigint NOT NULL,
    figures bytea NOT NULL,
    purchaser_hash bytea,
    salt bytea,
    issued_at timestamp with time zone NOT NULL,
    CONSTRAINT certificate_check CHECK (((salt IS NULL) OR (purchaser_hash IS NOT NULL))),
    CONSTRAINT certificate_edition_check CHECK ((edition > 0)),
    CONSTRAINT certificate_figures_check CHECK ((octet_length(figures) = 32)),
    CONSTRAINT certificate_number_check CHECK ((number ~ '^[2-9A-HJKMNP-Z]{12}$'::text)),
    CONSTRAINT certificate_purchaser_hash_check CHECK ((octet_length(purchaser_hash) = 32)),
    CONSTRAINT certificate_salt_check CHECK ((octet_length(salt) = 16))
);

COMMENT ON TABLE impact.certificate IS 'An edition of an order''s certificate. The newest holds; each one before it is replaced.';

COMMENT ON COLUMN impact.certificate.figures IS 'SHA-256 of what it certifies: projects, masses, trees.';

COMMENT ON COLUMN impact.certificate.purchaser_hash IS 'SHA-256 of the salt and the name on it; without the salt it tells nothing.';

COMMENT ON COLUMN impact.certificate.salt IS 'Gone once the person is forgotten.';

CREATE TABLE impact.certificate_key (
    kid text NOT NULL,
    public_key bytea NOT NULL,
    added_at timestamp with time zone NOT NULL,
    withdrawn_at timestamp with time zone,
    CONSTRAINT certificate_key_public_key_check CHECK ((octet_length(public_key) = 32))
);

COMMENT ON TABLE impact.certificate_key IS 'Public keys by which certificates are verified; the private one is a setting and never here.';

CREATE TABLE impact.feed (
    is_current boolean DEFAULT true NOT NULL,
    body bytea NOT NULL,
    etag text NOT NULL,
    built_at timestamp with time zone NOT NULL,
    CONSTRAINT feed_is_current_check CHECK (is_current)
);

COMMENT ON TABLE impact.feed IS 'The public feed as it is served until the next hour; one row.';

CREATE TABLE impact.hidden_order (
    purchase_id uuid NOT NULL,
    reason text NOT NULL,
    hidden_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE impact.hidden_order IS 'Orders that an operator keeps out of the public feed.';

CREATE TABLE impact.nameless_order (
    purchase_id uuid NOT NULL,
    erased_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE impact.nameless_order IS 'Orders whose persons were forgotten one by one: their certificates name nobody any more.';

CREATE TABLE impact.ranking (
    page bigint NOT NULL,
    highest_mg bigint NOT NULL,
    masses_mg bigint[] NOT NULL,
    CONSTRAINT ranking_highest_mg_check CHECK ((highest_mg > 0)),
    CONSTRAINT ranking_masses_mg_check CHECK (((cardinality(masses_mg) >= 1) AND (cardinality(masses_mg) <= 128)))
);

COMMENT ON TABLE impact.ranking IS 'All certified masses, heaviest first, 128 to a page; only the last page has fewer. A job makes it anew; it may be a minute behind.';

COMMENT ON COLUMN impact.ranking.page IS 'Counts from zero: 128 accounts of each page before it have no less than those of this one.';

COMMENT ON COLUMN impact.ranking.masses_mg IS 'Lightest first, so that `width_bucket` finds its way.';

CREATE TABLE ledger.adjustment_request (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    change_cents bigint NOT NULL,
    reason text NOT NULL,
    asked_by bigint NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    decided_by bigint,
    decided_at timestamp with time zone,
    entry_id uuid,
    refusal_reason text,
    CONSTRAINT adjustment_request_change_cents_check CHECK ((change_cents <> 0)),
    CONSTRAINT adjustment_request_check CHECK (((decided_by IS NULL) = (decided_at IS NULL))),
    CONSTRAINT adjustment_request_check1 CHECK ((num_nonnulls(entry_id, refusal_reason) =
CASE
    WHEN (decided_by IS NULL) THEN 0
    ELSE 1
END)),
    CONSTRAINT adjustment_two_people CHECK (((entry_id IS NULL) OR (decided_by <> asked_by)))
);

COMMENT ON TABLE ledger.adjustment_request IS 'Changes of a balance that are too large for one person: a second operator lets them through or not.';

COMMENT ON COLUMN ledger.adjustment_request.entry_id IS 'Of the change, once it was let through.';

COMMENT ON COLUMN ledger.adjustment_request.refusal_reason IS 'Why it was turned down, if it was.';

CREATE TABLE ledger.entry (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL,
    amount_cents bigint NOT NULL,
    balance_after_cents bigint NOT NULL,
    group_id uuid,
    description text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT entry_amount_cents_check CHECK ((amount_cents <> 0)),
    CONSTRAINT entry_balance_after_cents_check CHECK ((balance_after_cents >= 0)),
    CONSTRAINT entry_kind_check CHECK ((kind = ANY (ARRAY['top_up'::text, 'deduction'::text, 'refund'::text, 'adjustment'::text]))),
    CONSTRAINT entry_number_check CHECK ((number > 0)),
    CONSTRAINT entry_sign CHECK (((kind = ANY (ARRAY['adjustment'::text, 'refund'::text])) OR ((kind = 'deduction'::text) = (amount_cents < 0))))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY ledger.entry ALTER COLUMN account_id SET (n_distinct=-0.1, n_distinct_inherited=-0.1);

COMMENT ON TABLE ledger.entry IS 'Every change of a balance of credits, with the balance after it.';

COMMENT ON COLUMN ledger.entry.number IS 'Counts an account''s entries from 1 in the order in which they took effect; ids may cross.';

COMMENT ON COLUMN ledger.entry.kind IS 'A refund is positive when an order''s price comes back, negative when a top-up goes back to its card.';

COMMENT ON COLUMN ledger.entry.group_id IS 'The purchase that it paid for or refunds.';

CREATE TABLE ledger.entry_first (
    id uuid CONSTRAINT entry_id_not_null NOT NULL,
    account_id bigint CONSTRAINT entry_account_id_not_null NOT NULL,
    number bigint CONSTRAINT entry_number_not_null NOT NULL,
    kind text CONSTRAINT entry_kind_not_null NOT NULL,
    amount_cents bigint CONSTRAINT entry_amount_cents_not_null NOT NULL,
    balance_after_cents bigint CONSTRAINT entry_balance_after_cents_not_null NOT NULL,
    group_id uuid,
    description text CONSTRAINT entry_description_not_null NOT NULL,
    created_at timestamp with time zone CONSTRAINT entry_created_at_not_null NOT NULL,
    CONSTRAINT entry_amount_cents_check CHECK ((amount_cents <> 0)),
    CONSTRAINT entry_balance_after_cents_check CHECK ((balance_after_cents >= 0)),
    CONSTRAINT entry_kind_check CHECK ((kind = ANY (ARRAY['top_up'::text, 'deduction'::text, 'refund'::text, 'adjustment'::text]))),
    CONSTRAINT entry_number_check CHECK ((number > 0)),
    CONSTRAINT entry_sign CHECK (((kind = ANY (ARRAY['adjustment'::text, 'refund'::text])) OR ((kind = 'deduction'::text) = (amount_cents < 0))))
);
ALTER TABLE ONLY ledger.entry_first ALTER COLUMN account_id SET (n_distinct=-0.1, n_distinct_inherited=-0.1);

CREATE TABLE ledger.journal (
    id uuid NOT NULL,
    movement_id uuid NOT NULL,
    kind text NOT NULL,
    book text NOT NULL,
    account_id bigint,
    currency text NOT NULL,
    amount_micro bigint NOT NULL,
    memo text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT journal_amount_micro_check CHECK ((amount_micro <> 0)),
    CONSTRAINT journal_book_check CHECK ((book = ANY (ARRAY['credits'::text, 'processor'::text, 'bank'::text, 'partners'::text, 'margin'::text, 'fees'::text, 'exchange'::text, 'tax'::text, 'adjustments'::text, 'receivables'::text, 'disputes'::text, 'suspense'::text]))),
    CONSTRAINT journal_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT journal_kind_check CHECK ((kind = ANY (ARRAY['top_up'::text, 'refund'::text, 'dispute'::text, 'processor_fee'::text, 'exchange'::text, 'tax'::text, 'payout'::text, 'adjustment'::text, 'rounding'::text, 'owed'::text, 'suspense'::text])))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY ledger.journal ALTER COLUMN account_id SET (n_distinct=-0.1, n_distinct_inherited=-0.1);

COMMENT ON TABLE ledger.journal IS 'Every movement that is not an order line, as legs that sum to zero per currency.';

COMMENT ON COLUMN ledger.journal.movement_id IS 'For a change of credits, the id of its entry; else of the refund, dispute or balance transaction.';

COMMENT ON COLUMN ledger.journal.book IS 'Signs are those of a liability: what we owe more of is positive, what we own more of is negative.';

COMMENT ON COLUMN ledger.journal.amount_micro IS 'Millionths of a hundredth of the currency''s unit.';

CREATE TABLE ledger.journal_first (
    id uuid CONSTRAINT journal_id_not_null NOT NULL,
    movement_id uuid CONSTRAINT journal_movement_id_not_null NOT NULL,
    kind text CONSTRAINT journal_kind_not_null NOT NULL,
    book text CONSTRAINT journal_book_not_null NOT NULL,
    account_id bigint,
    currency text CONSTRAINT journal_currency_not_null NOT NULL,
    amount_micro bigint CONSTRAINT journal_amount_micro_not_null NOT NULL,
    memo text CONSTRAINT journal_memo_not_null NOT NULL,
    created_at timestamp with time zone CONSTRAINT journal_created_at_not_null NOT NULL,
    CONSTRAINT journal_amount_micro_check CHECK ((amount_micro <> 0)),
    CONSTRAINT journal_book_check CHECK ((book = ANY (ARRAY['credits'::text, 'processor'::text, 'bank'::text, 'partners'::text, 'margin'::text, 'fees'::text, 'exchange'::text, 'tax'::text, 'adjustments'::text, 'receivables'::text, 'disputes'::text, 'suspense'::text]))),
    CONSTRAINT journal_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT journal_kind_check CHECK ((kind = ANY (ARRAY['top_up'::text, 'refund'::text, 'dispute'::text, 'processor_fee'::text, 'exchange'::text, 'tax'::text, 'payout'::text, 'adjustment'::text, 'rounding'::text, 'owed'::text, 'suspense'::text])))
);
ALTER TABLE ONLY ledger.journal_first ALTER COLUMN account_id SET (n_distinct=-0.1, n_distinct_inherited=-0.1);

CREATE TABLE ledger.wallet (
    account_id bigint NOT NULL,
    balance_cents bigint DEFAULT 0 NOT NULL,
    owed_cents bigint DEFAULT 0 NOT NULL,
    certified_mg bigint DEFAULT 0 NOT NULL,
    trees bigint DEFAULT 0 NOT NULL,
    entry_count bigint DEFAULT 0 NOT NULL,
    CONSTRAINT wallet_balance_cents_check CHECK (((balance_cents >= 0) AND (balance_cents <= '1000000000000'::bigint))),
    CONSTRAINT wallet_certified_mg_check CHECK ((certified_mg >= 0)),
    CONSTRAINT wallet_entry_count_check CHECK ((entry_count >= 0)),
    CONSTRAINT wallet_owed_cents_check CHECK ((owed_cents >= 0)),
    CONSTRAINT wallet_trees_check CHECK ((trees >= 0))
)
WITH (fillfactor='50');

COMMENT ON TABLE ledger.wallet IS 'The hot row of an account. No index but its key: one on a total would end HOT updates.';

COMMENT ON COLUMN ledger.wallet.certified_mg IS 'Certified and external-standard mass, less refunds.';

CREATE TABLE notifications.outbox (
    id uuid NOT NULL,
    topic text NOT NULL,
    subject_id uuid NOT NULL,
    due_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE notifications.outbox IS 'What the rest of the house must hear of, written in the commit that makes it true; a relay turns each
row into a job. Ids only, never a person''s data.';

CREATE TABLE notifications.sent (
    message_id text NOT NULL,
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    attempt integer DEFAULT 1 NOT NULL,
    claimed_until timestamp with time zone,
    sent_at timestamp with time zone,
    refused_at timestamp with time zone,
    refusal_code smallint,
    CONSTRAINT sent_attempt_check CHECK ((attempt > 0)),
    CONSTRAINT sent_check CHECK (((refusal_code IS NULL) OR ((refused_at IS NOT NULL) AND ((refusal_code >= 500) AND (refusal_code <= 599))))),
    CONSTRAINT sent_outcome_check CHECK ((num_nonnulls(claimed_until, sent_at, refused_at) <= 1))
);

COMMENT ON TABLE notifications.sent IS 'Every mail that was taken up, by its stable Message-ID: none that left, or was refused for good, is sent
again.';

COMMENT ON COLUMN notifications.sent.attempt IS 'How many times it was taken up.';

COMMENT ON COLUMN notifications.sent.claimed_until IS 'Until then it is in the hands of one worker; null if nobody is sending it.';

COMMENT ON COLUMN notifications.sent.refusal_code IS 'The SMTP reply code of a refusal; null if the mail was refused before a server was asked.';

CREATE TABLE orders.certificate_slug (
    slug uuid NOT NULL,
    purchase_id uuid NOT NULL
);

COMMENT ON TABLE orders.certificate_slug IS 'From the public address of a certificate to its purchase.';

CREATE TABLE orders.charge (
    charge_id text NOT NULL,
    purchase_id uuid NOT NULL
);

COMMENT ON TABLE orders.charge IS 'From a processor''s charge to the purchase it paid for.';

CREATE TABLE orders.line (
    id uuid NOT NULL,
    purchase_id uuid NOT NULL,
    account_id bigint NOT NULL,
    project_id integer NOT NULL,
    partner_id integer NOT NULL,
    kind text NOT NULL,
    standing text NOT NULL,
    certification_status text NOT NULL,
    weight_ppm integer NOT NULL,
    unit_price_micro bigint,
    mass_mg bigint NOT NULL,
    trees bigint NOT NULL,
    amount_micro bigint NOT NULL,
    billed_micro bigint NOT NULL,
    partner_share_ppm integer NOT NULL,
    partner_micro bigint NOT NULL,
    margin_micro bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    refunded_at timestamp with time zone,
    refunded_mg bigint DEFAULT 0 NOT NULL,
    refunded_trees bigint DEFAULT 0 NOT NULL,
    refunded_micro bigint DEFAULT 0 NOT NULL,
    CONSTRAINT line_amount_micro_check CHECK ((amount_micro >= 0)),
    CONSTRAINT line_billed_micro_check CHECK ((billed_micro >= 0)),
    CONSTRAINT line_check CHECK ((amount_micro = (partner_micro + margin_micro))),
    CONSTRAINT line_kind_check CHECK ((kind = ANY (ARRAY['offset'::text, 'tree'::text, 'donation'::text]))),
    CONSTRAINT line_margin_micro_check CHECK ((margin_micro >= 0)),
    CONSTRAINT line_mass_mg_check CHECK ((mass_mg >= 0)),
    CONSTRAINT line_partner_micro_check CHECK ((partner_micro >= 0)),
    CONSTRAINT line_partner_share_ppm_check CHECK (((partner_share_ppm >= 0) AND (partner_share_ppm <= 1000000))),
    CONSTRAINT line_refunded CHECK ((((refunded_mg >= 0) AND (refunded_mg <= mass_mg)) AND ((refunded_trees >= 0) AND (refunded_trees <= trees)) AND ((refunded_micro >= 0) AND (refunded_micro <= amount_micro)))),
    CONSTRAINT line_standing_check CHECK ((standing = ANY (ARRAY['certified'::text, 'external_standard'::text, 'uncertified'::text]))),
    CONSTRAINT line_trees_check CHECK ((trees >= 0)),
    CONSTRAINT line_unit_price_micro_check CHECK ((unit_price_micro > 0)),
    CONSTRAINT line_weight_ppm_check CHECK (((weight_ppm >= 1) AND (weight_ppm <= 1000000)))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY orders.line ALTER COLUMN account_id SET (n_distinct=-0.1, n_distinct_inherited=-0.1);

COMMENT ON TABLE orders.line IS 'A project''s part of a purchase, written when it is paid: no list, total or month end meets a pending row.';

COMMENT ON COLUMN orders.line.standing IS 'The project''s standing when it was paid, frozen.';

COMMENT ON COLUMN orders.line.billed_micro IS 'The part as shown to the customer: whole cents where the order is a dollar or more.';

COMMENT ON COLUMN orders.line.refunded_at IS 'When all of it was refunded; in part, it stays null.';

CREATE TABLE orders.line_first (
    id uuid CONSTRAINT line_id_not_null NOT NULL,
    purchase_id uuid CONSTRAINT line_purchase_id_not_null NOT NULL,
    account_id bigint CONSTRAINT line_account_id_not_null NOT NULL,
    project_id integer CONSTRAINT line_project_id_not_null NOT NULL,
    partner_id integer CONSTRAINT line_partner_id_not_null NOT NULL,
    kind text CONSTRAINT line_kind_not_null NOT NULL,
    standing text CONSTRAINT line_standing_not_null NOT NULL,
    certification_status text CONSTRAINT line_certification_status_not_null NOT NULL,
    weight_ppm integer CONSTRAINT line_weight_ppm_not_null NOT NULL,
    unit_price_micro bigint,
    mass_mg bigint CONSTRAINT line_mass_mg_not_null NOT NULL,
    trees bigint CONSTRAINT line_trees_not_null NOT NULL,
    amount_micro bigint CONSTRAINT line_amount_micro_not_null NOT NULL,
    billed_micro bigint CONSTRAINT line_billed_micro_not_null NOT NULL,
    partner_share_ppm integer CONSTRAINT line_partner_share_ppm_not_null NOT NULL,
    partner_micro bigint CONSTRAINT line_partner_micro_not_null NOT NULL,
    margin_micro bigint CONSTRAINT line_margin_micro_not_null NOT NULL,
    created_at timestamp with time zone CONSTRAINT line_created_at_not_null NOT NULL,
    refunded_at timestamp with time zone,
    refunded_mg bigint DEFAULT 0 CONSTRAINT line_refunded_mg_not_null NOT NULL,
    refunded_trees bigint DEFAULT 0 CONSTRAINT line_refunded_trees_not_null NOT NULL,
    refunded_micro bigint DEFAULT 0 CONSTRAINT line_refunded_micro_not_null NOT NULL,
    CONSTRAINT line_amount_micro_check CHECK ((amount_micro >= 0)),
    CONSTRAINT line_billed_micro_check CHECK ((billed_micro >= 0)),
    CONSTRAINT line_check CHECK ((amount_micro = (partner_micro + margin_micro))),
    CONSTRAINT line_kind_check CHECK ((kind = ANY (ARRAY['offset'::text, 'tree'::text, 'donation'::text]))),
    CONSTRAINT line_margin_micro_check CHECK ((margin_micro >= 0)),
    CONSTRAINT line_mass_mg_check CHECK ((mass_mg >= 0)),
    CONSTRAINT line_partner_micro_check CHECK ((partner_micro >= 0)),
    CONSTRAINT line_partner_share_ppm_check CHECK (((partner_share_ppm >= 0) AND (partner_share_ppm <= 1000000))),
    CONSTRAINT line_refunded CHECK ((((refunded_mg >= 0) AND (refunded_mg <= mass_mg)) AND ((refunded_trees >= 0) AND (refunded_trees <= trees)) AND ((refunded_micro >= 0) AND (refunded_micro <= amount_micro)))),
    CONSTRAINT line_standing_check CHECK ((standing = ANY (ARRAY['certified'::text, 'external_standard'::text, 'uncertified'::text]))),
    CONSTRAINT line_trees_check CHECK ((trees >= 0)),
    CONSTRAINT line_unit_price_micro_check CHECK ((unit_price_micro > 0)),
    CONSTRAINT line_weight_ppm_check CHECK (((weight_ppm >= 1) AND (weight_ppm <= 1000000)))
);
ALTER TABLE ONLY orders.line_first ALTER COLUMN account_id SET (n_distinct=-0.1, n_distinct_inherited=-0.1);

CREATE TABLE orders.party (
    purchase_id uuid NOT NULL,
    on_behalf_of_name text,
    on_behalf_of_email text,
    note text,
    metadata jsonb
)
PARTITION BY RANGE (purchase_id);

COMMENT ON TABLE orders.party IS 'What a purchase holds of persons; it can be erased by itself.';

CREATE TABLE orders.purchase (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    payment_method text NOT NULL,
    source text NOT NULL,
    portfolio_id integer,
    project_id integer,
    mass_mg bigint NOT NULL,
    trees bigint NOT NULL,
    unit_price_cents bigint,
    price_revision bigint NOT NULL,
    amount_cents bigint NOT NULL,
    charge_minor bigint NOT NULL,
    currency text NOT NULL,
    rate numeric(20,10) DEFAULT 1 NOT NULL,
    rate_on date,
    tax_rate_ppm integer DEFAULT 0 NOT NULL,
    tax_minor bigint DEFAULT 0 NOT NULL,
    seller_tax_id text,
    seller_address text,
    buyer_tax_id text,
    buyer_address text,
    receipt_number bigint,
    send_receipt boolean NOT NULL,
    charge_id text,
    certificate_slug uuid NOT NULL,
    quote jsonb,
    created_at timestamp with time zone NOT NULL,
    paid_at timestamp with time zone,
    refunded_at timestamp with time zone,
    refunded_minor bigint DEFAULT 0 NOT NULL,
    CONSTRAINT purchase_amount_cents_check CHECK ((amount_cents > 0)),
    CONSTRAINT purchase_charge_minor_check CHECK ((charge_minor > 0)),
    CONSTRAINT purchase_check CHECK (((payment_method <> 'credits'::text) OR ((currency = 'USD'::text) AND (charge_minor = amount_cents)))),
    CONSTRAINT purchase_check1 CHECK (((kind <> 'offset'::text) OR ((portfolio_id IS NOT NULL) AND (mass_mg > 0)))),
    CONSTRAINT purchase_check2 CHECK (((state = ANY (ARRAY['pending'::text, 'failed'::text])) OR (paid_at IS NOT NULL))),
    CONSTRAINT purchase_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT purchase_kind_check CHECK ((kind = ANY (ARRAY['offset'::text, 'tree'::text, 'project'::text]))),
    CONSTRAINT purchase_mass_mg_check CHECK ((mass_mg >= 0)),
    CONSTRAINT purchase_payment_method_check CHECK ((payment_method = ANY (ARRAY['stripe'::text, 'credits'::text]))),
    CONSTRAINT purchase_rate_check CHECK ((rate > (0)::numeric)),
    CONSTRAINT purchase_refunded CHECK ((((refunded_minor >= 0) AND (refunded_minor <= charge_minor)) AND ((state <> ALL (ARRAY['pending'::text, 'paid'::text, 'failed'::text])) OR (refunded_minor = 0)) AND ((state <> 'partly_refunded'::text) OR (refunded_minor > 0)) AND ((state = 'refunded'::text) = (refunded_at IS NOT NULL)))),
    CONSTRAINT purchase_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'paid'::text, 'partly_refunded'::text, 'refunded'::text, 'disputed'::text, 'failed'::text]))),
    CONSTRAINT purchase_tax_minor_check CHECK ((tax_minor >= 0)),
    CONSTRAINT purchase_tax_rate_ppm_check CHECK ((tax_rate_ppm >= 0)),
    CONSTRAINT purchase_trees_check CHECK ((trees >= 0))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY orders.purchase ALTER COLUMN account_id SET (n_distinct=-0.1, n_distinct_inherited=-0.1);

COMMENT ON TABLE orders.purchase IS 'One order of any kind, priced once and frozen.';

COMMENT ON COLUMN orders.purchase.unit_price_cents IS 'A portfolio''s cost per ton as shown and charged.';

COMMENT ON COLUMN orders.purchase.price_revision IS 'The revision of the catalogue that priced it.';

COMMENT ON COLUMN orders.purchase.rate IS 'Units of the currency for one US dollar, at `rate_on`.';

COMMENT ON COLUMN orders.purchase.quote IS 'The split of an order that is not paid yet: its lines to be.';

COMMENT ON COLUMN orders.purchase.refunded_minor IS 'Of the charge, what was given back or lost.';

CREATE VIEW orders.listed_line AS
 SELECT l.id,
    l.purchase_id,
    l.account_id,
    l.kind,
    p.charge_id,
    l.created_at,
    l.mass_mg,
    l.trees,
    l.billed_micro,
    p.currency,
    p.portfolio_id,
    l.project_id,
    l.certification_status,
    l.standing,
    p.source,
    p.payment_method,
    p.certificate_slug,
    l.refunded_at,
    y.note,
    y.on_behalf_of_name,
    y.on_behalf_of_email,
    y.metadata,
    p.charge_minor,
    l.refunded_mg,
    l.refunded_trees,
    l.refunded_micro
   FROM ((orders.line l
     JOIN orders.purchase p ON ((p.id = l.purchase_id)))
     LEFT JOIN orders.party y ON ((y.purchase_id = l.purchase_id)));

COMMENT ON VIEW orders.listed_line IS 'A line as lists show it, with what they show of its purchase.';

CREATE TABLE orders.party_first (
    purchase_id uuid CONSTRAINT party_purchase_id_not_null NOT NULL,
    on_behalf_of_name text,
    on_behalf_of_email text,
    note text,
    metadata jsonb
);

CREATE TABLE orders.purchase_first (
    id uuid CONSTRAINT purchase_id_not_null NOT NULL,
    account_id bigint CONSTRAINT purchase_account_id_not_null NOT NULL,
    kind text CONSTRAINT purchase_kind_not_null NOT NULL,
    state text CONSTRAINT purchase_state_not_null NOT NULL,
    payment_method text CONSTRAINT purchase_payment_method_not_null NOT NULL,
    source text CONSTRAINT purchase_source_not_null NOT NULL,
    portfolio_id integer,
    project_id integer,
    mass_mg bigint CONSTRAINT purchase_mass_mg_not_null NOT NULL,
    trees bigint CONSTRAINT purchase_trees_not_null NOT NULL,
    unit_price_cents bigint,
    price_revision bigint CONSTRAINT purchase_price_revision_not_null NOT NULL,
    amount_cents bigint CONSTRAINT purchase_amount_cents_not_null NOT NULL,
    charge_minor bigint CONSTRAINT purchase_charge_minor_not_null NOT NULL,
    currency text CONSTRAINT purchase_currency_not_null NOT NULL,
    rate numeric(20,10) DEFAULT 1 CONSTRAINT purchase_rate_not_null NOT NULL,
    rate_on date,
    tax_rate_ppm integer DEFAULT 0 CONSTRAINT purchase_tax_rate_ppm_not_null NOT NULL,
    tax_minor bigint DEFAULT 0 CONSTRAINT purchase_tax_minor_not_null NOT NULL,
    seller_tax_id text,
    seller_address text,
    buyer_tax_id text,
    buyer_address text,
    receipt_number bigint,
    send_receipt boolean CONSTRAINT purchase_send_receipt_not_null NOT NULL,
    charge_id text,
    certificate_slug uuid CONSTRAINT purchase_certificate_slug_not_null NOT NULL,
    quote jsonb,
    created_at timestamp with time zone CONSTRAINT purchase_created_at_not_null NOT NULL,
    paid_at timestamp with time zone,
    refunded_at timestamp with time zone,
    refunded_minor bigint DEFAULT 0 CONSTRAINT purchase_refunded_minor_not_null NOT NULL,
    CONSTRAINT purchase_amount_cents_check CHECK ((amount_cents > 0)),
    CONSTRAINT purchase_charge_minor_check CHECK ((charge_minor > 0)),
    CONSTRAINT purchase_check CHECK (((payment_method <> 'credits'::text) OR ((currency = 'USD'::text) AND (charge_minor = amount_cents)))),
    CONSTRAINT purchase_check1 CHECK (((kind <> 'offset'::text) OR ((portfolio_id IS NOT NULL) AND (mass_mg > 0)))),
    CONSTRAINT purchase_check2 CHECK (((state = ANY (ARRAY['pending'::text, 'failed'::text])) OR (paid_at IS NOT NULL))),
    CONSTRAINT purchase_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT purchase_kind_check CHECK ((kind = ANY (ARRAY['offset'::text, 'tree'::text, 'project'::text]))),
    CONSTRAINT purchase_mass_mg_check CHECK ((mass_mg >= 0)),
    CONSTRAINT purchase_payment_method_check CHECK ((payment_method = ANY (ARRAY['stripe'::text, 'credits'::text]))),
    CONSTRAINT purchase_rate_check CHECK ((rate > (0)::numeric)),
    CONSTRAINT purchase_refunded CHECK ((((refunded_minor >= 0) AND (refunded_minor <= charge_minor)) AND ((state <> ALL (ARRAY['pending'::text, 'paid'::text, 'failed'::text])) OR (refunded_minor = 0)) AND ((state <> 'partly_refunded'::text) OR (refunded_minor > 0)) AND ((state = 'refunded'::text) = (refunded_at IS NOT NULL)))),
    CONSTRAINT purchase_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'paid'::text, 'partly_refunded'::text, 'refunded'::text, 'disputed'::text, 'failed'::text]))),
    CONSTRAINT purchase_tax_minor_check CHECK ((tax_minor >= 0)),
    CONSTRAINT purchase_tax_rate_ppm_check CHECK ((tax_rate_ppm >= 0)),
    CONSTRAINT purchase_trees_check CHECK ((trees >= 0))
);
ALTER TABLE ONLY orders.purchase_first ALTER COLUMN account_id SET (n_distinct=-0.1, n_distinct_inherited=-0.1);

CREATE SEQUENCE orders.receipt_number
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE orders.refund (
    id uuid NOT NULL,
    purchase_id uuid NOT NULL,
    account_id bigint NOT NULL,
    origin text NOT NULL,
    state text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    amount_micro bigint DEFAULT 0 NOT NULL,
    mass_mg bigint DEFAULT 0 NOT NULL,
    trees bigint DEFAULT 0 NOT NULL,
    reason text NOT NULL,
    request_key text,
    failure_code text,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT refund_amount_micro_check CHECK ((amount_micro >= 0)),
    CONSTRAINT refund_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT refund_check CHECK (((state = 'pending'::text) = (settled_at IS NULL))),
    CONSTRAINT refund_check1 CHECK (((state = 'succeeded'::text) OR ((amount_micro = 0) AND (mass_mg = 0) AND (trees = 0)))),
    CONSTRAINT refund_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT refund_mass_mg_check CHECK ((mass_mg >= 0)),
    CONSTRAINT refund_origin_check CHECK ((origin = ANY (ARRAY['operator'::text, 'processor'::text, 'dispute'::text]))),
    CONSTRAINT refund_request_key_check CHECK (((length(request_key) >= 1) AND (length(request_key) <= 255))),
    CONSTRAINT refund_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'succeeded'::text, 'failed'::text]))),
    CONSTRAINT refund_trees_check CHECK ((trees >= 0))
);

COMMENT ON TABLE orders.refund IS 'What of an order goes back. By card it has the id of its row in `payments.refund`, and takes effect once
the processor has given the money back; from credits that of its ledger entry, and takes effect at once.';

COMMENT ON COLUMN orders.refund.amount_micro IS 'Of the price in US cents, its part; known once it took effect.';

COMMENT ON COLUMN orders.refund.request_key IS 'What its asker calls the request, so that a repeat of it makes no second refund; null if nothing.';

CREATE TABLE orders.refund_line (
    refund_id uuid NOT NULL,
    line_id uuid NOT NULL,
    project_id integer NOT NULL,
    partner_id integer NOT NULL,
    mass_mg bigint NOT NULL,
    trees bigint NOT NULL,
    amount_micro bigint NOT NULL,
    partner_micro bigint NOT NULL,
    margin_micro bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT refund_line_amount_micro_check CHECK ((amount_micro >= 0)),
    CONSTRAINT refund_line_check CHECK ((amount_micro = (partner_micro + margin_micro))),
    CONSTRAINT refund_line_margin_micro_check CHECK ((margin_micro >= 0)),
    CONSTRAINT refund_line_mass_mg_check CHECK ((mass_mg >= 0)),
    CONSTRAINT refund_line_partner_micro_check CHECK ((partner_micro >= 0)),
    CONSTRAINT refund_line_trees_check CHECK ((trees >= 0))
);

COMMENT ON TABLE orders.refund_line IS 'A refund''s part of each line, split like the order: what the month end takes off a partner''s due.';

CREATE TABLE orders.tag (
    account_id bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    purchase_id uuid NOT NULL
);

COMMENT ON TABLE orders.tag IS 'A purchase''s metadata as pairs, by which lists are filtered.';

CREATE TABLE payments.balance_import (
    is_current boolean DEFAULT true NOT NULL,
    complete_to timestamp with time zone NOT NULL,
    CONSTRAINT balance_import_is_current_check CHECK (is_current)
);

COMMENT ON TABLE payments.balance_import IS 'Up to which instant the processor''s balance transactions are on record; one row.';

CREATE TABLE payments.dispute (
    dispute_id text NOT NULL,
    payment_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    settled_at timestamp with time zone,
    credits_cents bigint,
    withdrawals smallint DEFAULT 1 NOT NULL,
    returns smallint DEFAULT 0 NOT NULL,
    moved_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT dispute_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT dispute_check CHECK (((state = 'open'::text) = (closed_at IS NULL))),
    CONSTRAINT dispute_credits CHECK (((credits_cents >= 0) AND ((state = 'lost'::text) OR (credits_cents IS NULL)))),
    CONSTRAINT dispute_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT dispute_moves CHECK ((((withdrawals >= 1) AND (withdrawals <= 100)) AND ((returns >= (withdrawals - 1)) AND (returns <= withdrawals)) AND ((returns = withdrawals) = (state = 'won'::text)))),
    CONSTRAINT dispute_state_check CHECK ((state = ANY (ARRAY['open'::text, 'won'::text, 'lost'::text])))
);

COMMENT ON COLUMN payments.dispute.settled_at IS 'When its end took effect in the books: what was lost is taken back, what was won stands again.';

COMMENT ON COLUMN payments.dispute.credits_cents IS 'Of a top-up''s lost dispute, the credits that were taken back or left owed; null for an order''s.';

COMMENT ON COLUMN payments.dispute.withdrawals IS 'How often its amount was taken from our balance: again, if one that was won is lost on appeal.';

COMMENT ON COLUMN payments.dispute.returns IS 'How often it came back.';

COMMENT ON COLUMN payments.dispute.moved_at IS 'When we learned of the last of these.';

CREATE TABLE payments.payment (
    id uuid NOT NULL,
    subject text NOT NULL,
    subject_id uuid NOT NULL,
    account_id bigint NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    amount_cents bigint NOT NULL,
    rate numeric(20,10) NOT NULL,
    rate_on date NOT NULL,
    customer text NOT NULL,
    request bytea NOT NULL,
    processor_key text NOT NULL,
    first_sent_at timestamp with time zone NOT NULL,
    last_sent_at timestamp with time zone NOT NULL,
    leased_until timestamp with time zone,
    intent_id text,
    charge_id text,
    state text NOT NULL,
    failure_code text,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT payment_amount_cents_check CHECK ((amount_cents > 0)),
    CONSTRAINT payment_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT payment_check CHECK (((state = 'pending'::text) = (settled_at IS NULL))),
    CONSTRAINT payment_check1 CHECK (((state <> 'succeeded'::text) OR (charge_id IS NOT NULL))),
    CONSTRAINT payment_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT payment_rate_check CHECK ((rate > (0)::numeric)),
    CONSTRAINT payment_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'succeeded'::text, 'failed'::text]))),
    CONSTRAINT payment_subject_check CHECK ((subject = ANY (ARRAY['purchase'::text, 'top_up'::text])))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY payments.payment ALTER COLUMN account_id SET (n_distinct=-0.1, n_distinct_inherited=-0.1);

COMMENT ON TABLE payments.payment IS 'Money asked of a card; the request is frozen to the byte.';

COMMENT ON COLUMN payments.payment.leased_until IS 'Until then whoever sent the request may still be waiting for its answer.';

CREATE TABLE payments.refund (
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    request bytea,
    processor_key text,
    first_sent_at timestamp with time zone,
    last_sent_at timestamp with time zone,
    refund_id text,
    state text NOT NULL,
    failure_code text,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    origin text DEFAULT 'operator'::text NOT NULL,
    leased_until timestamp with time zone,
    credits_cents bigint,
    CONSTRAINT refund_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT refund_check CHECK (((state = 'pending'::text) = (settled_at IS NULL))),
    CONSTRAINT refund_credits CHECK ((credits_cents >= 0)),
    CONSTRAINT refund_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT refund_origin CHECK (((origin = ANY (ARRAY['operator'::text, 'processor'::text])) AND ((origin = 'operator'::text) = (request IS NOT NULL)) AND ((origin = 'operator'::text) = (processor_key IS NOT NULL)))),
    CONSTRAINT refund_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'succeeded'::text, 'failed'::text])))
);

COMMENT ON TABLE payments.refund IS 'Money given back to a card: asked for by an operator, its request frozen to the byte; or made in the
processor''s own dashboard and learned of.';

COMMENT ON COLUMN payments.refund.refund_id IS 'The processor''s id, once it is known.';

COMMENT ON COLUMN payments.refund.credits_cents IS 'Of a top-up''s refund, the credits that left the wallet with it, at once when we asked for it; 0 if they
came back because it failed, null for an order''s.';

CREATE VIEW payments.balance_source AS
 SELECT p.charge_id AS source_id,
    'charge'::text AS role,
    (p.id)::text AS row_id,
    p.amount_minor AS moved_minor,
    p.currency,
    p.settled_at AS moved_at,
    1 AS times,
    true AS is_due
   FROM payments.payment p
  WHERE (p.state = 'succeeded'::text)
UNION ALL
 SELECT r.refund_id AS source_id,
    'refund'::text AS role,
    (r.id)::text AS row_id,
    (- r.amount_minor) AS moved_minor,
    r.currency,
    r.settled_at AS moved_at,
    1 AS times,
    true AS is_due
   FROM payments.refund r
  WHERE (r.state = 'succeeded'::text)
UNION ALL
 SELECT r.refund_id AS source_id,
    'refund_failure'::text AS role,
    (r.id)::text AS row_id,
    r.amount_minor AS moved_minor,
    r.currency,
    r.settled_at AS moved_at,
    1 AS times,
    false AS is_due
   FROM payments.refund r
  WHERE (r.state = 'succeeded'::text)
UNION ALL
 SELECT d.dispute_id AS source_id,
    'dispute'::text AS role,
    d.dispute_id AS row_id,
    (- d.amount_minor) AS moved_minor,
    d.currency,
    d.moved_at,
    d.withdrawals AS times,
    true AS is_due
   FROM payments.dispute d
UNION ALL
 SELECT d.dispute_id AS source_id,
    'dispute_reversal'::text AS role,
    d.dispute_id AS row_id,
    d.amount_minor AS moved_minor,
    d.currency,
    d.moved_at,
    d.returns AS times,
    true AS is_due
   FROM payments.dispute d
  WHERE (d.returns > 0);

COMMENT ON VIEW payments.balance_source IS 'What of ours moves money at the processor, signed as there, and how many times; the books hold its legs
in `processor` from `moved_at` on. Without `is_due` it need not have happened: a refund may fail after
it was given.';

CREATE TABLE payments.balance_transaction (
    transaction_id text NOT NULL,
    kind text NOT NULL,
    role text NOT NULL,
    source_id text,
    amount_minor bigint NOT NULL,
    fee_minor bigint NOT NULL,
    net_minor bigint NOT NULL,
    currency text NOT NULL,
    exchange_rate numeric(20,10),
    source_minor bigint,
    source_currency text,
    created_at timestamp with time zone NOT NULL,
    movement_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT balance_transaction_check CHECK ((net_minor = (amount_minor - fee_minor))),
    CONSTRAINT balance_transaction_check1 CHECK (((source_minor IS NULL) = (source_currency IS NULL))),
    CONSTRAINT balance_transaction_check2 CHECK (((source_minor IS NULL) OR (role <> ALL (ARRAY['fee'::text, 'bank'::text, 'other'::text])))),
    CONSTRAINT balance_transaction_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT balance_transaction_exchange_rate_check CHECK ((exchange_rate > (0)::numeric)),
    CONSTRAINT balance_transaction_role_check CHECK ((role = ANY (ARRAY['charge'::text, 'refund'::text, 'refund_failure'::text, 'dispute'::text, 'dispute_reversal'::text, 'fee'::text, 'bank'::text, 'other'::text]))),
    CONSTRAINT balance_transaction_source_currency_check CHECK ((source_currency ~ '^[A-Z]{3}$'::text))
);

COMMENT ON TABLE payments.balance_transaction IS 'Every movement of our balance at the processor, as the processor recorded it: what the journal''s book
`processor` is held against.';

COMMENT ON COLUMN payments.balance_transaction.kind IS 'What the processor calls it.';

COMMENT ON COLUMN payments.balance_transaction.role IS 'What it is in our books, by its kind.';

COMMENT ON COLUMN payments.balance_transaction.source_id IS 'The charge, refund, dispute or payout.';

COMMENT ON COLUMN payments.balance_transaction.source_minor IS 'What our payment, refund or dispute says that moved, signed and in its own currency; null as long as
none is known, and then its amount stands in the book `suspense`.';

COMMENT ON COLUMN payments.balance_transaction.movement_id IS 'Its legs in the journal, as far as it has any: the fee, the exchange where it settled in another
currency, what passes through the bank, what is in suspense.';

CREATE TABLE payments.exception (
    id uuid NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    resolution text,
    CONSTRAINT exception_check CHECK (((resolved_at IS NULL) = (resolution IS NULL))),
    CONSTRAINT exception_kind_check CHECK ((kind = ANY (ARRAY['outcome_unknown'::text, 'charge_without_order'::text, 'mismatch'::text, 'refund_failed'::text, 'refund_unknown'::text, 'dispute_unclear'::text, 'unknown_transaction'::text])))
);

COMMENT ON TABLE payments.exception IS 'What a person has to look at before the books can close.';

CREATE TABLE payments.exchange_rate (
    currency text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    rate numeric(20,10) NOT NULL,
    rate_on date NOT NULL,
    source text NOT NULL,
    CONSTRAINT exchange_rate_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT exchange_rate_rate_check CHECK ((rate > (0)::numeric)),
    CONSTRAINT exchange_rate_source_check CHECK ((source = ANY (ARRAY['ecb'::text, 'operator'::text])))
);

COMMENT ON TABLE payments.exchange_rate IS 'Units of a currency for one US dollar; the newest row of a currency holds. Append-only.';

CREATE TABLE payments.inbox (
    id uuid NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    payload bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone
);

COMMENT ON TABLE payments.inbox IS 'Events of the processor, each inserted once and then worked on.';

CREATE TABLE payments.pace (
    is_current boolean DEFAULT true NOT NULL,
    next_at timestamp with time zone NOT NULL,
    background_at timestamp with time zone NOT NULL,
    CONSTRAINT pace_is_current_check CHECK (is_current)
)
WITH (fillfactor='50');

COMMENT ON TABLE payments.pace IS 'When the card processor may be called next; one row, from which every process reserves its turns.';

COMMENT ON COLUMN payments.pace.background_at IS 'No turn before this for what no client waits for.';

CREATE TABLE payments.payment_first (
    id uuid CONSTRAINT payment_id_not_null NOT NULL,
    subject text CONSTRAINT payment_subject_not_null NOT NULL,
    subject_id uuid CONSTRAINT payment_subject_id_not_null NOT NULL,
    account_id bigint CONSTRAINT payment_account_id_not_null NOT NULL,
    amount_minor bigint CONSTRAINT payment_amount_minor_not_null NOT NULL,
    currency text CONSTRAINT payment_currency_not_null NOT NULL,
    amount_cents bigint CONSTRAINT payment_amount_cents_not_null NOT NULL,
    rate numeric(20,10) CONSTRAINT payment_rate_not_null NOT NULL,
    rate_on date CONSTRAINT payment_rate_on_not_null NOT NULL,
    customer text CONSTRAINT payment_customer_not_null NOT NULL,
    request bytea CONSTRAINT payment_request_not_null NOT NULL,
    processor_key text CONSTRAINT payment_processor_key_not_null NOT NULL,
    first_sent_at timestamp with time zone CONSTRAINT payment_first_sent_at_not_null NOT NULL,
    last_sent_at timestamp with time zone CONSTRAINT payment_last_sent_at_not_null NOT NULL,
    leased_until timestamp with time zone,
    intent_id text,
    charge_id text,
    state text CONSTRAINT payment_state_not_null NOT NULL,
    failure_code text,
    created_at timestamp with time zone CONSTRAINT payment_created_at_not_null NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT payment_amount_cents_check CHECK ((amount_cents > 0)),
    CONSTRAINT payment_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT payment_check CHECK (((state = 'pending'::text) = (settled_at IS NULL))),
    CONSTRAINT payment_check1 CHECK (((state <> 'succeeded'::text) OR (charge_id IS NOT NULL))),
    CONSTRAINT payment_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT payment_rate_check CHECK ((rate > (0)::numeric)),
    CONSTRAINT payment_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'succeeded'::text, 'failed'::text]))),
    CONSTRAINT payment_subject_check CHECK ((subject = ANY (ARRAY['purchase'::text, 'top_up'::text])))
);
ALTER TABLE ONLY payments.payment_first ALTER COLUMN account_id SET (n_distinct=-0.1, n_distinct_inherited=-0.1);

CREATE TABLE payments.top_up (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    origin text NOT NULL,
    amount_cents bigint NOT NULL,
    state text NOT NULL,
    charge_id text,
    entry_id uuid,
    returned_cents bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT top_up_amount_cents_check CHECK ((amount_cents > 0)),
    CONSTRAINT top_up_check CHECK (((state = 'pending'::text) = (settled_at IS NULL))),
    CONSTRAINT top_up_check1 CHECK (((state = 'paid'::text) = (charge_id IS NOT NULL))),
    CONSTRAINT top_up_check2 CHECK (((state = 'paid'::text) = (entry_id IS NOT NULL))),
    CONSTRAINT top_up_check3 CHECK (((returned_cents >= 0) AND (returned_cents <= amount_cents))),
    CONSTRAINT top_up_origin_check CHECK ((origin = ANY (ARRAY['request'::text, 'refill'::text]))),
    CONSTRAINT top_up_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'paid'::text, 'failed'::text])))
);

COMMENT ON TABLE payments.top_up IS 'Credits bought by card; the card''s side is its payment.';

COMMENT ON COLUMN payments.top_up.returned_cents IS 'Of the credits, what refunds and lost disputes took back or left owed.';

CREATE TABLE pgqueuer.pgqueuer (
    id bigint NOT NULL,
    priority integer NOT NULL,
    queue_manager_id uuid,
    created timestamp with time zone DEFAULT now() NOT NULL,
    updated timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat timestamp with time zone DEFAULT now() NOT NULL,
    execute_after timestamp with time zone DEFAULT now() NOT NULL,
    status pgqueuer.pgqueuer_status NOT NULL,
    entrypoint text NOT NULL,
    dedupe_key text,
    payload bytea,
    headers jsonb,
    attempts integer DEFAULT 0 NOT NULL,
    slot bigint
);

CREATE SEQUENCE pgqueuer.pgqueuer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE pgqueuer.pgqueuer_id_seq OWNED BY pgqueuer.pgqueuer.id;

CREATE TABLE pgqueuer.pgqueuer_log (
    id bigint NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    job_id bigint NOT NULL,
    status pgqueuer.pgqueuer_status NOT NULL,
    priority integer NOT NULL,
    entrypoint text NOT NULL,
    traceback jsonb,
    aggregated boolean DEFAULT false
);

ALTER TABLE pgqueuer.pgqueuer_log ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME pgqueuer.pgqueuer_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE pgqueuer.pgqueuer_schedules (
    id bigint NOT NULL,
    expression text NOT NULL,
    entrypoint text NOT NULL,
    heartbeat timestamp with time zone DEFAULT now() NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    updated timestamp with time zone DEFAULT now() NOT NULL,
    next_run timestamp with time zone DEFAULT now() NOT NULL,
    last_run timestamp with time zone,
    status pgqueuer.pgqueuer_status DEFAULT 'queued'::pgqueuer.pgqueuer_status
);

CREATE SEQUENCE pgqueuer.pgqueuer_schedules_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE pgqueuer.pgqueuer_schedules_id_seq OWNED BY pgqueuer.pgqueuer_schedules.id;

CREATE TABLE pgqueuer.pgqueuer_statistics (
    id bigint NOT NULL,
    created timestamp with time zone DEFAULT date_trunc('sec'::text, now()) NOT NULL,
    count bigint NOT NULL,
    priority integer NOT NULL,
    status pgqueuer.pgqueuer_status NOT NULL,
    entrypoint text NOT NULL
);

CREATE SEQUENCE pgqueuer.pgqueuer_statistics_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE pgqueuer.pgqueuer_statistics_id_seq OWNED BY pgqueuer.pgqueuer_statistics.id;

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

COMMENT ON TABLE public.alembic_version IS 'Programs from revision 0010 on work on this schema.';

ALTER TABLE ONLY ledger.entry ATTACH PARTITION ledger.entry_first FOR VALUES FROM (MINVALUE) TO ('01a22ee6-b000-0000-0000-000000000000');

ALTER TABLE ONLY ledger.journal ATTACH PARTITION ledger.journal_first FOR VALUES FROM (MINVALUE) TO ('01a22ee6-b000-0000-0000-000000000000');

ALTER TABLE ONLY orders.line ATTACH PARTITION orders.line_first FOR VALUES FROM (MINVALUE) TO ('01a22ee6-b000-0000-0000-000000000000');

ALTER TABLE ONLY orders.party ATTACH PARTITION orders.party_first FOR VALUES FROM (MINVALUE) TO ('01a22ee6-b000-0000-0000-000000000000');

ALTER TABLE ONLY orders.purchase ATTACH PARTITION orders.purchase_first FOR VALUES FROM (MINVALUE) TO ('01a22ee6-b000-0000-0000-000000000000');

ALTER TABLE ONLY payments.payment ATTACH PARTITION payments.payment_first FOR VALUES FROM (MINVALUE) TO ('01a22ee6-b000-0000-0000-000000000000');

ALTER TABLE ONLY pgqueuer.pgqueuer ALTER COLUMN id SET DEFAULT nextval('pgqueuer.pgqueuer_id_seq'::regclass);

ALTER TABLE ONLY pgqueuer.pgqueuer_schedules ALTER COLUMN id SET DEFAULT nextval('pgqueuer.pgqueuer_schedules_id_seq'::regclass);

ALTER TABLE ONLY pgqueuer.pgqueuer_statistics ALTER COLUMN id SET DEFAULT nextval('pgqueuer.pgqueuer_statistics_id_seq'::regclass);

ALTER TABLE ONLY accounts.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (id);

ALTER TABLE ONLY accounts.account
    ADD CONSTRAINT account_stripe_customer_key UNIQUE (stripe_customer);

ALTER TABLE ONLY accounts.identity
    ADD CONSTRAINT identity_kind_subject_key UNIQUE (kind, subject);

ALTER TABLE ONLY accounts.identity
    ADD CONSTRAINT identity_pkey PRIMARY KEY (id);

ALTER TABLE ONLY accounts.member
    ADD CONSTRAINT member_pkey PRIMARY KEY (team_id, user_id);

ALTER TABLE ONLY accounts.operator
    ADD CONSTRAINT operator_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY accounts.refill_failure
    ADD CONSTRAINT refill_failure_pkey PRIMARY KEY (id);

ALTER TABLE ONLY accounts.refill
    ADD CONSTRAINT refill_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY accounts.token
    ADD CONSTRAINT token_pkey PRIMARY KEY (id);

ALTER TABLE ONLY accounts.token
    ADD CONSTRAINT token_sha256_key UNIQUE (sha256);

ALTER TABLE ONLY catalog.partner
    ADD CONSTRAINT partner_pkey PRIMARY KEY (id);

ALTER TABLE ONLY catalog.portfolio
    ADD CONSTRAINT portfolio_pkey PRIMARY KEY (id);

ALTER TABLE ONLY catalog.price
    ADD CONSTRAINT price_pkey PRIMARY KEY (project_id, effective_at);

ALTER TABLE ONLY catalog.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);

ALTER TABLE ONLY catalog.revision
    ADD CONSTRAINT revision_pkey PRIMARY KEY (revision);

ALTER TABLE ONLY catalog.weight
    ADD CONSTRAINT weight_pkey PRIMARY KEY (portfolio_id, project_id);

ALTER TABLE ONLY db.change
    ADD CONSTRAINT change_pkey PRIMARY KEY (topic);

ALTER TABLE ONLY db.partitioned
    ADD CONSTRAINT partitioned_pkey PRIMARY KEY (parent);

ALTER TABLE ONLY http.heartbeat
    ADD CONSTRAINT heartbeat_pkey PRIMARY KEY (process_id);

ALTER TABLE ONLY http.idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (key_hash);

ALTER TABLE ONLY impact.certificate
    ADD CONSTRAINT certificate_edition UNIQUE (purchase_id, edition);

ALTER TABLE ONLY impact.certificate_key
    ADD CONSTRAINT certificate_key_pkey PRIMARY KEY (kid);

ALTER TABLE ONLY impact.certificate
    ADD CONSTRAINT certificate_pkey PRIMARY KEY (number);

ALTER TABLE ONLY impact.feed
    ADD CONSTRAINT feed_pkey PRIMARY KEY (is_current);

ALTER TABLE ONLY impact.hidden_order
    ADD CONSTRAINT hidden_order_pkey PRIMARY KEY (purchase_id);

ALTER TABLE ONLY impact.nameless_order
    ADD CONSTRAINT nameless_order_pkey PRIMARY KEY (purchase_id);

ALTER TABLE ONLY impact.ranking
    ADD CONSTRAINT ranking_highest_mg_page_key UNIQUE (highest_mg, page);

ALTER TABLE ONLY impact.ranking
    ADD CONSTRAINT ranking_pkey PRIMARY KEY (page);

ALTER TABLE ONLY ledger.adjustment_request
    ADD CONSTRAINT adjustment_request_entry_id_key UNIQUE (entry_id);

ALTER TABLE ONLY ledger.adjustment_request
    ADD CONSTRAINT adjustment_request_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ledger.entry
    ADD CONSTRAINT entry_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ledger.entry_first
    ADD CONSTRAINT entry_first_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ledger.journal
    ADD CONSTRAINT journal_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ledger.journal_first
    ADD CONSTRAINT journal_first_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ledger.wallet
    ADD CONSTRAINT wallet_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY notifications.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY notifications.sent
    ADD CONSTRAINT sent_pkey PRIMARY KEY (message_id);

ALTER TABLE ONLY orders.certificate_slug
    ADD CONSTRAINT certificate_slug_pkey PRIMARY KEY (slug);

ALTER TABLE ONLY orders.charge
    ADD CONSTRAINT charge_pkey PRIMARY KEY (charge_id);

ALTER TABLE ONLY orders.charge
    ADD CONSTRAINT charge_purchase_id_key UNIQUE (purchase_id);

ALTER TABLE ONLY orders.line
    ADD CONSTRAINT line_pkey PRIMARY KEY (id);

ALTER TABLE ONLY orders.line_first
    ADD CONSTRAINT line_first_pkey PRIMARY KEY (id);

ALTER TABLE ONLY orders.party
    ADD CONSTRAINT party_pkey PRIMARY KEY (purchase_id);

ALTER TABLE ONLY orders.party_first
    ADD CONSTRAINT party_first_pkey PRIMARY KEY (purchase_id);

ALTER TABLE ONLY orders.purchase
    ADD CONSTRAINT purchase_pkey PRIMARY KEY (id);

ALTER TABLE ONLY orders.purchase_first
    ADD CONSTRAINT purchase_first_pkey PRIMARY KEY (id);

ALTER TABLE ONLY orders.refund_line
    ADD CONSTRAINT refund_line_pkey PRIMARY KEY (refund_id, line_id);

ALTER TABLE ONLY orders.refund
    ADD CONSTRAINT refund_pkey PRIMARY KEY (id);

ALTER TABLE ONLY orders.tag
    ADD CONSTRAINT tag_pkey PRIMARY KEY (account_id, key, value, purchase_id);

ALTER TABLE ONLY payments.balance_import
    ADD CONSTRAINT balance_import_pkey PRIMARY KEY (is_current);

ALTER TABLE ONLY payments.balance_transaction
    ADD CONSTRAINT balance_transaction_movement_id_key UNIQUE (movement_id);

ALTER TABLE ONLY payments.balance_transaction
    ADD CONSTRAINT balance_transaction_pkey PRIMARY KEY (transaction_id);

ALTER TABLE ONLY payments.dispute
    ADD CONSTRAINT dispute_pkey PRIMARY KEY (dispute_id);

ALTER TABLE ONLY payments.exception
    ADD CONSTRAINT exception_pkey PRIMARY KEY (id);

ALTER TABLE ONLY payments.exchange_rate
    ADD CONSTRAINT exchange_rate_pkey PRIMARY KEY (currency, recorded_at);

ALTER TABLE ONLY payments.inbox
    ADD CONSTRAINT inbox_event_id_key UNIQUE (event_id);

ALTER TABLE ONLY payments.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (id);

ALTER TABLE ONLY payments.pace
    ADD CONSTRAINT pace_pkey PRIMARY KEY (is_current);

ALTER TABLE ONLY payments.payment
    ADD CONSTRAINT payment_pkey PRIMARY KEY (id);

ALTER TABLE ONLY payments.payment_first
    ADD CONSTRAINT payment_first_pkey PRIMARY KEY (id);

ALTER TABLE ONLY payments.refund
    ADD CONSTRAINT refund_pkey PRIMARY KEY (id);

ALTER TABLE ONLY payments.refund
    ADD CONSTRAINT refund_refund_id_key UNIQUE (refund_id);

ALTER TABLE ONLY payments.top_up
    ADD CONSTRAINT top_up_charge_id_key UNIQUE (charge_id);

ALTER TABLE ONLY payments.top_up
    ADD CONSTRAINT top_up_entry_id_key UNIQUE (entry_id);

ALTER TABLE ONLY payments.top_up
    ADD CONSTRAINT top_up_pkey PRIMARY KEY (id);

ALTER TABLE ONLY pgqueuer.pgqueuer_log
    ADD CONSTRAINT pgqueuer_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY pgqueuer.pgqueuer
    ADD CONSTRAINT pgqueuer_pkey PRIMARY KEY (id);

ALTER TABLE ONLY pgqueuer.pgqueuer_schedules
    ADD CONSTRAINT pgqueuer_schedules_expression_entrypoint_key UNIQUE (expression, entrypoint);

ALTER TABLE ONLY pgqueuer.pgqueuer_schedules
    ADD CONSTRAINT pgqueuer_schedules_pkey PRIMARY KEY (id);

ALTER TABLE ONLY pgqueuer.pgqueuer_statistics
    ADD CONSTRAINT pgqueuer_statistics_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

CREATE INDEX identity_user_id ON accounts.identity USING btree (user_id);

CREATE INDEX member_user_id ON accounts.member USING btree (user_id);

CREATE INDEX refill_failure_account_id ON accounts.refill_failure USING btree (account_id, failed_at);

CREATE INDEX token_account_id ON accounts.token USING btree (account_id);

CREATE INDEX portfolio_account_id ON catalog.portfolio USING btree (account_id);

CREATE UNIQUE INDEX portfolio_one_default ON catalog.portfolio USING btree (is_default) WHERE is_default;

CREATE UNIQUE INDEX project_one_tree_provider ON catalog.project USING btree (is_tree_provider) WHERE is_tree_provider;

CREATE INDEX idempotency_key_created_at ON http.idempotency_key USING btree (created_at);

CREATE INDEX idempotency_key_unanswered ON http.idempotency_key USING btree (subject_id) WHERE (answer IS NULL);

CREATE INDEX certificate_key_added_at ON impact.certificate_key USING btree (added_at);

CREATE INDEX certificate_named ON impact.certificate USING btree (account_id) WHERE (salt IS NOT NULL);

CREATE INDEX adjustment_request_open ON ledger.adjustment_request USING btree (asked_at) WHERE (decided_at IS NULL);

CREATE INDEX entry_account_id ON ONLY ledger.entry USING btree (account_id, number);

CREATE INDEX entry_first_account_id_number_idx ON ledger.entry_first USING btree (account_id, number);

CREATE INDEX journal_movement_id ON ONLY ledger.journal USING btree (movement_id);

CREATE INDEX journal_first_movement_id_idx ON ledger.journal_first USING btree (movement_id);

CREATE INDEX outbox_due_at ON notifications.outbox USING btree (due_at, id);

CREATE INDEX sent_subject_id ON notifications.sent USING btree (subject_id);

CREATE INDEX line_account_id ON ONLY orders.line USING btree (account_id, kind, id);

CREATE INDEX line_first_account_id_kind_id_idx ON orders.line_first USING btree (account_id, kind, id);

CREATE INDEX line_purchase_id ON ONLY orders.line USING btree (purchase_id);

CREATE INDEX line_first_purchase_id_idx ON orders.line_first USING btree (purchase_id);

CREATE INDEX purchase_account_id ON ONLY orders.purchase USING btree (account_id, id);

CREATE INDEX purchase_first_account_id_id_idx ON orders.purchase_first USING btree (account_id, id);

CREATE INDEX refund_line_line_id ON orders.refund_line USING btree (line_id);

CREATE INDEX refund_pending ON orders.refund USING btree (created_at) WHERE (state = 'pending'::text);

CREATE INDEX refund_purchase_id ON orders.refund USING btree (purchase_id);

CREATE UNIQUE INDEX refund_request_key ON orders.refund USING btree (purchase_id, request_key);

CREATE INDEX balance_transaction_created_at ON payments.balance_transaction USING btree (created_at);

CREATE INDEX balance_transaction_refund_failure ON payments.balance_transaction USING btree (source_id) WHERE (role = 'refund_failure'::text);

CREATE INDEX balance_transaction_source_id ON payments.balance_transaction USING btree (source_id);

CREATE INDEX balance_transaction_unmatched ON payments.balance_transaction USING btree (transaction_id) WHERE ((source_minor IS NULL) AND (role <> ALL (ARRAY['fee'::text, 'bank'::text])));

CREATE INDEX dispute_payment_id ON payments.dispute USING btree (payment_id);

CREATE UNIQUE INDEX exception_open ON payments.exception USING btree (subject, kind) WHERE (resolved_at IS NULL);

CREATE INDEX inbox_waiting ON payments.inbox USING btree (received_at) WHERE (done_at IS NULL);

CREATE INDEX payment_account_id ON ONLY payments.payment USING btree (account_id, id);

CREATE INDEX payment_charge_id ON ONLY payments.payment USING btree (charge_id);

CREATE INDEX payment_first_account_id_id_idx ON payments.payment_first USING btree (account_id, id);

CREATE INDEX payment_first_charge_id_idx ON payments.payment_first USING btree (charge_id);

CREATE INDEX payment_pending ON ONLY payments.payment USING btree (created_at) WHERE (state = 'pending'::text);

CREATE INDEX payment_first_created_at_idx ON payments.payment_first USING btree (created_at) WHERE (state = 'pending'::text);

CREATE INDEX payment_subject_id ON ONLY payments.payment USING btree (subject_id);

CREATE INDEX payment_first_subject_id_idx ON payments.payment_first USING btree (subject_id);

CREATE INDEX refund_payment_id ON payments.refund USING btree (payment_id);

CREATE INDEX refund_pending ON payments.refund USING btree (created_at) WHERE (state = 'pending'::text);

CREATE INDEX top_up_account_id ON payments.top_up USING btree (account_id, created_at);

CREATE UNIQUE INDEX top_up_one_refill ON payments.top_up USING btree (account_id) WHERE ((origin = 'refill'::text) AND (state = 'pending'::text));

CREATE INDEX pgqueuer_ep_ea_idx ON pgqueuer.pgqueuer USING btree (entrypoint, execute_after) WHERE (status = 'queued'::pgqueuer.pgqueuer_status);

CREATE INDEX pgqueuer_ep_prio_id_idx ON pgqueuer.pgqueuer USING btree (entrypoint, priority DESC, id) WHERE (status = 'queued'::pgqueuer.pgqueuer_status);

CREATE INDEX pgqueuer_log_created ON pgqueuer.pgqueuer_log USING btree (created);

CREATE INDEX pgqueuer_log_job_id_status ON pgqueuer.pgqueuer_log USING btree (job_id, created DESC);

CREATE INDEX pgqueuer_log_not_aggregated ON pgqueuer.pgqueuer_log USING btree ((1)) WHERE (NOT aggregated);

CREATE INDEX pgqueuer_log_status ON pgqueuer.pgqueuer_log USING btree (status);

CREATE INDEX pgqueuer_picked_heartbeat_idx ON pgqueuer.pgqueuer USING btree (heartbeat) WHERE (status = 'picked'::pgqueuer.pgqueuer_status);

CREATE UNIQUE INDEX pgqueuer_picked_slot_idx ON pgqueuer.pgqueuer USING btree (entrypoint, slot) WHERE ((status = 'picked'::pgqueuer.pgqueuer_status) AND (slot IS NOT NULL));

CREATE INDEX pgqueuer_priority_id_id1_idx ON pgqueuer.pgqueuer USING btree (priority, id DESC) INCLUDE (id) WHERE (status = 'queued'::pgqueuer.pgqueuer_status);

CREATE INDEX pgqueuer_queue_manager_id_idx ON pgqueuer.pgqueuer USING btree (queue_manager_id) WHERE (queue_manager_id IS NOT NULL);

CREATE UNIQUE INDEX pgqueuer_statistics_unique_count ON pgqueuer.pgqueuer_statistics USING btree (priority, date_trunc('sec'::text, timezone('UTC'::text, created)), status, entrypoint);

CREATE UNIQUE INDEX pgqueuer_unique_dedupe_key ON pgqueuer.pgqueuer USING btree (dedupe_key) WHERE ((status = ANY (ARRAY['queued'::pgqueuer.pgqueuer_status, 'picked'::pgqueuer.pgqueuer_status])) AND (dedupe_key IS NOT NULL));

CREATE INDEX pgqueuer_updated_id_id1_idx ON pgqueuer.pgqueuer USING btree (updated, id DESC) INCLUDE (id) WHERE (status = 'picked'::pgqueuer.pgqueuer_status);

ALTER INDEX ledger.entry_account_id ATTACH PARTITION ledger.entry_first_account_id_number_idx;

ALTER INDEX ledger.entry_pkey ATTACH PARTITION ledger.entry_first_pkey;

ALTER INDEX ledger.journal_movement_id ATTACH PARTITION ledger.journal_first_movement_id_idx;

ALTER INDEX ledger.journal_pkey ATTACH PARTITION ledger.journal_first_pkey;

ALTER INDEX orders.line_account_id ATTACH PARTITION orders.line_first_account_id_kind_id_idx;

ALTER INDEX orders.line_pkey ATTACH PARTITION orders.line_first_pkey;

ALTER INDEX orders.line_purchase_id ATTACH PARTITION orders.line_first_purchase_id_idx;

ALTER INDEX orders.party_pkey ATTACH PARTITION orders.party_first_pkey;

ALTER INDEX orders.purchase_account_id ATTACH PARTITION orders.purchase_first_account_id_id_idx;

ALTER INDEX orders.purchase_pkey ATTACH PARTITION orders.purchase_first_pkey;

ALTER INDEX payments.payment_account_id ATTACH PARTITION payments.payment_first_account_id_id_idx;

ALTER INDEX payments.payment_charge_id ATTACH PARTITION payments.payment_first_charge_id_idx;

ALTER INDEX payments.payment_pending ATTACH PARTITION payments.payment_first_created_at_idx;

ALTER INDEX payments.payment_pkey ATTACH PARTITION payments.payment_first_pkey;

ALTER INDEX payments.payment_subject_id ATTACH PARTITION payments.payment_first_subject_id_idx;

CREATE TRIGGER price_append_only BEFORE DELETE OR UPDATE ON catalog.price FOR EACH ROW EXECUTE FUNCTION db.refuse_change_v1();

CREATE TRIGGER revision_append_only BEFORE DELETE OR UPDATE ON catalog.revision FOR EACH ROW EXECUTE FUNCTION db.refuse_change_v1();

CREATE CONSTRAINT TRIGGER weight_sum AFTER INSERT OR DELETE OR UPDATE ON catalog.weight DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION catalog.check_portfolio_v1();

CREATE TRIGGER entry_append_only BEFORE DELETE OR UPDATE ON ledger.entry FOR EACH ROW EXECUTE FUNCTION db.refuse_change_v1();

CREATE TRIGGER journal_append_only BEFORE DELETE OR UPDATE ON ledger.journal FOR EACH ROW EXECUTE FUNCTION db.refuse_change_v1();

CREATE CONSTRAINT TRIGGER journal_balanced AFTER INSERT ON ledger.journal DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.check_movement_v1();

CREATE TRIGGER exchange_rate_append_only BEFORE DELETE OR UPDATE ON payments.exchange_rate FOR EACH ROW EXECUTE FUNCTION db.refuse_change_v1();

CREATE TRIGGER tg_pgqueuer_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON pgqueuer.pgqueuer FOR EACH STATEMENT EXECUTE FUNCTION pgqueuer.fn_pgqueuer_changed();

ALTER TABLE ONLY accounts.identity
    ADD CONSTRAINT identity_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts.account(id);

ALTER TABLE ONLY accounts.member
    ADD CONSTRAINT member_team_id_fkey FOREIGN KEY (team_id) REFERENCES accounts.account(id);

ALTER TABLE ONLY accounts.member
    ADD CONSTRAINT member_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts.account(id);

ALTER TABLE ONLY accounts.operator
    ADD CONSTRAINT operator_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts.account(id);

ALTER TABLE ONLY accounts.refill
    ADD CONSTRAINT refill_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts.account(id);

ALTER TABLE ONLY accounts.refill_failure
    ADD CONSTRAINT refill_failure_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts.account(id);

ALTER TABLE ONLY accounts.token
    ADD CONSTRAINT token_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts.account(id);

ALTER TABLE ONLY accounts.token
    ADD CONSTRAINT token_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES accounts.token(id);

ALTER TABLE ONLY catalog.price
    ADD CONSTRAINT price_project_id_fkey FOREIGN KEY (project_id) REFERENCES catalog.project(id);

ALTER TABLE ONLY catalog.project
    ADD CONSTRAINT project_partner_id_fkey FOREIGN KEY (partner_id) REFERENCES catalog.partner(id);

ALTER TABLE ONLY catalog.weight
    ADD CONSTRAINT weight_portfolio_id_fkey FOREIGN KEY (portfolio_id) REFERENCES catalog.portfolio(id);

ALTER TABLE ONLY catalog.weight
    ADD CONSTRAINT weight_project_id_fkey FOREIGN KEY (project_id) REFERENCES catalog.project(id);

ALTER TABLE ONLY orders.refund_line
    ADD CONSTRAINT refund_line_refund_id_fkey FOREIGN KEY (refund_id) REFERENCES orders.refund(id);
