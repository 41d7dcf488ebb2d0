-- Money that comes in ahead of an order and money that goes back: top-ups, refunds, disputes, what the
-- processor's balance says of all of them, an operator's larger adjustments, and erasure.
-- Constraints that widen or bound columns with rows come `not valid`; 0004 validates them.

-- ---------------------------------------------------------------------------------------- accounts

create table accounts.refill (
    account_id bigint primary key references accounts.account,
    below_cents bigint not null check (below_cents between 1 and 99999999),
    amount_cents bigint not null check (amount_cents between 100 and 99999999),
    failures smallint not null default 0 check (failures >= 0),
    is_on boolean not null default true,
    changed_at timestamptz not null
);
comment on table accounts.refill is
'When an account''s credits are topped up by themselves: below what balance, by how much. It is switched
off after failures in a row, and by its owner.';

create table accounts.refill_failure (
    id uuid primary key,
    account_id bigint not null references accounts.account,
    amount_cents bigint not null check (amount_cents > 0),
    code text not null,
    number smallint not null check (number > 0),
    left_on boolean not null,
    failed_at timestamptz not null
);
comment on table accounts.refill_failure is
'Refills that came to nothing, each counted once: what the mail about it says.';
comment on column accounts.refill_failure.id is
'The top-up''s, or one of its own where no card could be asked.';
comment on column accounts.refill_failure.number is 'Which one in a row it was.';
comment on column accounts.refill_failure.left_on is 'Whether refills are tried again after it.';
create index refill_failure_account_id on accounts.refill_failure (account_id, failed_at);

-- ------------------------------------------------------------------------------------------ ledger

-- It is widened: what earlier programs rely on still holds.
-- squawk-ignore ban-drop-constraint
alter table ledger.entry drop constraint entry_check;
alter table ledger.entry add constraint entry_sign check (
    kind in ('adjustment', 'refund') or (kind = 'deduction') = (amount_cents < 0)
) not valid;
comment on column ledger.entry.kind is
'A refund is positive when an order''s price comes back, negative when a top-up goes back to its card.';

-- It is widened: what earlier programs rely on still holds.
-- squawk-ignore ban-drop-constraint
alter table ledger.journal drop constraint journal_book_check;
alter table ledger.journal add constraint journal_book_check check (
    book in (
        'credits', 'processor', 'bank', 'partners', 'margin', 'fees', 'exchange', 'tax',
        'adjustments', 'receivables', 'disputes', 'suspense'
    )
) not valid;
-- It is widened: what earlier programs rely on still holds.
-- squawk-ignore ban-drop-constraint
alter table ledger.journal drop constraint journal_kind_check;
alter table ledger.journal add constraint journal_kind_check check (
    kind in (
        'top_up', 'refund', 'dispute', 'processor_fee', 'exchange', 'tax', 'payout',
        'adjustment', 'rounding', 'owed', 'suspense'
    )
) not valid;
comment on column ledger.journal.book is
'Signs are those of a liability: what we owe more of is positive, what we own more of is negative.';
comment on column ledger.journal.movement_id is
'For a change of credits, the id of its entry; else of the refund, dispute or balance transaction.';

create table ledger.adjustment_request (
    id uuid primary key,
    account_id bigint not null,
    change_cents bigint not null check (change_cents <> 0),
    reason text not null,
    asked_by bigint not null,
    asked_at timestamptz not null,
    decided_by bigint,
    decided_at timestamptz,
    entry_id uuid unique,
    refusal_reason text,
    check ((decided_by is null) = (decided_at is null)),
    check (num_nonnulls(entry_id, refusal_reason) = case when decided_by is null then 0 else 1 end),
    constraint adjustment_two_people check (entry_id is null or decided_by <> asked_by)
);
comment on table ledger.adjustment_request is
'Changes of a balance that are too large for one person: a second operator lets them through or not.';
comment on column ledger.adjustment_request.entry_id is 'Of the change, once it was let through.';
comment on column ledger.adjustment_request.refusal_reason is 'Why it was turned down, if it was.';
create index adjustment_request_open on ledger.adjustment_request (asked_at) where decided_at is null;

create function ledger.change_v1(
    entry_id uuid, leg_id uuid, account bigint, entry_kind text, movement_kind text,
    change_cents bigint, of_group uuid, said text
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
comment on function ledger.change_v1 is
'Changes a balance, with its entry and its leg in the book of credits; gives the balance after. Whoever
calls it writes the legs that balance this one in the same transaction. A balance that would fall below
zero is refused by the wallet''s check.';

comment on function ledger.add_impact_v1 is
'Raises an account''s totals by an order paid otherwise, or lowers them by what was refunded.';

-- ---------------------------------------------------------------------------------------- payments

create table payments.top_up (
    id uuid primary key,
    account_id bigint not null,
    origin text not null check (origin in ('request', 'refill')),
    amount_cents bigint not null check (amount_cents > 0),
    state text not null check (state in ('pending', 'paid', 'failed')),
    charge_id text unique,
    entry_id uuid unique,
    returned_cents bigint not null default 0,
    created_at timestamptz not null,
    settled_at timestamptz,
    check ((state = 'pending') = (settled_at is null)),
    check ((state = 'paid') = (charge_id is not null)),
    check ((state = 'paid') = (entry_id is not null)),
    check (returned_cents between 0 and amount_cents)
);
comment on table payments.top_up is 'Credits bought by card; the card''s side is its payment.';
comment on column payments.top_up.returned_cents is
'Of the credits, what refunds and lost disputes took back or left owed.';
create index top_up_account_id on payments.top_up (account_id, created_at);
create unique index top_up_one_refill on payments.top_up (account_id)
where origin = 'refill' and state = 'pending';

-- No earlier program uses this table.
-- squawk-ignore ban-drop-not-null
alter table payments.refund alter column request drop not null;
-- No earlier program uses this table.
-- squawk-ignore ban-drop-not-null
alter table payments.refund alter column processor_key drop not null;
alter table payments.refund add column origin text not null default 'operator';
alter table payments.refund add column leased_until timestamptz;
alter table payments.refund add column credits_cents bigint;
alter table payments.refund add constraint refund_credits check (credits_cents >= 0) not valid;
alter table payments.refund add constraint refund_origin check (
    origin in ('operator', 'processor') and (origin = 'operator') = (request is not null)
    and (origin = 'operator') = (processor_key is not null)
) not valid;
comment on table payments.refund is
'Money given back to a card: asked for by an operator, its request frozen to the byte; or made in the
processor''s own dashboard and learned of.';
comment on column payments.refund.refund_id is 'The processor''s id, once it is known.';
comment on column payments.refund.credits_cents is
'Of a top-up''s refund, the credits that left the wallet with it, at once when we asked for it; 0 if they
came back because it failed, null for an order''s.';

alter table payments.dispute add column settled_at timestamptz;
comment on column payments.dispute.settled_at is
'When its end took effect in the books: what was lost is taken back, what was won stands again.';
alter table payments.dispute add column credits_cents bigint;
alter table payments.dispute add constraint dispute_credits check (
    credits_cents >= 0 and (state = 'lost' or credits_cents is null)
) not valid;
comment on column payments.dispute.credits_cents is
'Of a top-up''s lost dispute, the credits that were taken back or left owed; null for an order''s.';

alter table payments.dispute add column withdrawals smallint not null default 1;
alter table payments.dispute add column returns smallint not null default 0;
alter table payments.dispute add column moved_at timestamptz not null default now();
alter table payments.dispute add constraint dispute_moves check (
    withdrawals between 1 and 100
    and returns between withdrawals - 1 and withdrawals and (returns = withdrawals) = (state = 'won')
) not valid;
comment on column payments.dispute.withdrawals is
'How often its amount was taken from our balance: again, if one that was won is lost on appeal.';
comment on column payments.dispute.returns is 'How often it came back.';
comment on column payments.dispute.moved_at is 'When we learned of the last of these.';

create table payments.balance_transaction (
    transaction_id text primary key,
    kind text not null,
    role text not null check (
        role in (
            'charge', 'refund', 'refund_failure', 'dispute', 'dispute_reversal', 'fee', 'bank',
            'other'
        )
    ),
    source_id text,
    amount_minor bigint not null,
    fee_minor bigint not null,
    net_minor bigint not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    exchange_rate numeric(20, 10) check (exchange_rate > 0),
    source_minor bigint,
    source_currency text check (source_currency ~ '^[A-Z]{3}$'),
    created_at timestamptz not null,
    movement_id uuid not null unique,
    recorded_at timestamptz not null,
    check (net_minor = amount_minor - fee_minor),
    check ((source_minor is null) = (source_currency is null)),
    check (source_minor is null or role not in ('fee', 'bank', 'other'))
);
comment on table payments.balance_transaction is
'Every movement of our balance at the processor, as the processor recorded it: what the journal''s book
`processor` is held against.';
comment on column payments.balance_transaction.kind is 'What the processor calls it.';
comment on column payments.balance_transaction.role is 'What it is in our books, by its kind.';
comment on column payments.balance_transaction.source_id is 'The charge, refund, dispute or payout.';
comment on column payments.balance_transaction.source_minor is
'What our payment, refund or dispute says that moved, signed and in its own currency; null as long as
none is known, and then its amount stands in the book `suspense`.';
comment on column payments.balance_transaction.movement_id is
'Its legs in the journal, as far as it has any: the fee, the exchange where it settled in another
currency, what passes through the bank, what is in suspense.';
create index balance_transaction_source_id on payments.balance_transaction (source_id);
create index balance_transaction_created_at on payments.balance_transaction (created_at);
create index balance_transaction_unmatched on payments.balance_transaction (transaction_id)
where source_minor is null and role not in ('fee', 'bank');
create index balance_transaction_refund_failure on payments.balance_transaction (source_id)
where role = 'refund_failure';

-- A partitioned table takes no index that is built beside its writers; it reads what few rows there are.
-- squawk-ignore require-concurrent-index-creation
create index payment_charge_id on payments.payment (charge_id);

create view payments.balance_source as
select p.charge_id as source_id, 'charge' as role, p.id::text as row_id,
    p.amount_minor as moved_minor, p.currency, p.settled_at as moved_at, 1 as times, true as is_due
from payments.payment p
where p.state = 'succeeded'
union all
select r.refund_id, 'refund', r.id::text, -r.amount_minor, r.currency, r.settled_at, 1, true
from payments.refund r
where r.state = 'succeeded'
union all
select r.refund_id, 'refund_failure', r.id::text, r.amount_minor, r.currency, r.settled_at, 1, false
from payments.refund r
where r.state = 'succeeded'
union all
select d.dispute_id, 'dispute', d.dispute_id, -d.amount_minor, d.currency, d.moved_at,
    d.withdrawals, true
from payments.dispute d
union all
select d.dispute_id, 'dispute_reversal', d.dispute_id, d.amount_minor, d.currency, d.moved_at,
    d.returns, true
from payments.dispute d
where d.returns > 0;
comment on view payments.balance_source is
'What of ours moves money at the processor, signed as there, and how many times; the books hold its legs
in `processor` from `moved_at` on. Without `is_due` it need not have happened: a refund may fail after
it was given.';

create table payments.balance_import (
    is_current boolean primary key default true check (is_current),
    complete_to timestamptz not null
);
comment on table payments.balance_import is
'Up to which instant the processor''s balance transactions are on record; one row.';

-- It is widened: what earlier programs rely on still holds.
-- squawk-ignore ban-drop-constraint
alter table payments.exception drop constraint exception_kind_check;
alter table payments.exception add constraint exception_kind_check check (
    kind in (
        'outcome_unknown', 'charge_without_order', 'mismatch', 'refund_failed', 'refund_unknown',
        'dispute_unclear', 'unknown_transaction'
    )
) not valid;

create function payments.open_top_up_v1(
    top_up_id uuid, account bigint, asked_by text, cents bigint
) returns void
language sql
as $$
    insert into payments.top_up (id, account_id, origin, amount_cents, state, created_at)
    values (top_up_id, account, asked_by, cents, 'pending', now())
$$;
comment on function payments.open_top_up_v1 is 'Records credits that a card is about to be asked for.';

-- ------------------------------------------------------------------------------------------ orders

alter table orders.purchase add column refunded_minor bigint not null default 0;
alter table orders.purchase add constraint purchase_refunded check (
    refunded_minor between 0 and charge_minor
    and (state not in ('pending', 'paid', 'failed') or refunded_minor = 0)
    and (state <> 'partly_refunded' or refunded_minor > 0)
    and (state = 'refunded') = (refunded_at is not null)
) not valid;
comment on column orders.purchase.refunded_minor is 'Of the charge, what was given back or lost.';

alter table orders.line add column refunded_mg bigint not null default 0;
alter table orders.line add column refunded_trees bigint not null default 0;
alter table orders.line add column refunded_micro bigint not null default 0;
alter table orders.line add constraint line_refunded check (
    refunded_mg between 0 and mass_mg and refunded_trees between 0 and trees
    and refunded_micro between 0 and amount_micro
) not valid;
comment on column orders.line.refunded_at is 'When all of it was refunded; in part, it stays null.';

create table orders.refund (
    id uuid primary key,
    purchase_id uuid not null,
    account_id bigint not null,
    origin text not null check (origin in ('operator', 'processor', 'dispute')),
    state text not null check (state in ('pending', 'succeeded', 'failed')),
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    amount_micro bigint not null default 0 check (amount_micro >= 0),
    mass_mg bigint not null default 0 check (mass_mg >= 0),
    trees bigint not null default 0 check (trees >= 0),
    reason text not null,
    request_key text check (length(request_key) between 1 and 255),
    failure_code text,
    created_at timestamptz not null,
    settled_at timestamptz,
    check ((state = 'pending') = (settled_at is null)),
    check (state = 'succeeded' or (amount_micro = 0 and mass_mg = 0 and trees = 0))
);
comment on table orders.refund is
'What of an order goes back. By card it has the id of its row in `payments.refund`, and takes effect once
the processor has given the money back; from credits that of its ledger entry, and takes effect at once.';
comment on column orders.refund.request_key is
'What its asker calls the request, so that a repeat of it makes no second refund; null if nothing.';
comment on column orders.refund.amount_micro is 'Of the price in US cents, its part; known once it took effect.';
create index refund_purchase_id on orders.refund (purchase_id);
create unique index refund_request_key on orders.refund (purchase_id, request_key);
create index refund_pending on orders.refund (created_at) where state = 'pending';

create table orders.refund_line (
    refund_id uuid not null references orders.refund,
    line_id uuid not null,
    project_id integer not null,
    partner_id integer not null,
    mass_mg bigint not null check (mass_mg >= 0),
    trees bigint not null check (trees >= 0),
    amount_micro bigint not null check (amount_micro >= 0),
    partner_micro bigint not null check (partner_micro >= 0),
    margin_micro bigint not null check (margin_micro >= 0),
    created_at timestamptz not null,
    primary key (refund_id, line_id),
    check (amount_micro = partner_micro + margin_micro)
);
comment on table orders.refund_line is
'A refund''s part of each line, split like the order: what the month end takes off a partner''s due.';
create index refund_line_line_id on orders.refund_line (line_id);

create or replace view orders.listed_line as
select l.id, l.purchase_id, l.account_id, l.kind, p.charge_id, l.created_at, l.mass_mg, l.trees,
    l.billed_micro, p.currency, p.portfolio_id, l.project_id, l.certification_status, l.standing,
    p.source, p.payment_method, p.certificate_slug, l.refunded_at, y.note, y.on_behalf_of_name,
    y.on_behalf_of_email, y.metadata, p.charge_minor, l.refunded_mg, l.refunded_trees,
    l.refunded_micro
from orders.line l
join orders.purchase p on p.id = l.purchase_id
left join orders.party y on y.purchase_id = l.purchase_id;
