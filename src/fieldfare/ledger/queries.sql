-- name: find_wallet^
select account_id, balance_cents, owed_cents, certified_mg, trees, entry_count
from ledger.wallet
where account_id = :account_id;

-- name: list_entries
-- An account's entries up to a number, newest first.
select id, account_id, number, kind, amount_cents, balance_after_cents, group_id, description, created_at
from ledger.entry
where account_id = :account_id and number <= :up_to_number
order by number desc
limit :at_most::integer;

-- name: list_wallets
-- Wallets in the order of their accounts: a page of all of them.
select account_id, balance_cents, owed_cents, certified_mg, trees, entry_count
from ledger.wallet
where account_id > :after_account_id
order by account_id
limit :at_most::integer;

-- name: list_entries_from
-- The entries of a range of accounts, each account's oldest first: a page of them after a position.
select id, account_id, number, kind, amount_cents, balance_after_cents
from ledger.entry
where (account_id, number, id) > (:after_account_id::bigint, :after_number::bigint, :after_id::uuid)
    and account_id <= :up_to_account_id
order by account_id, number, id
limit :at_most::integer;

-- name: list_wrong_legs
-- Legs whose movement does not sum to zero, that are not what the entry they belong to makes, or that
-- stand in a book where their kind does not belong: a page of those after an id. A deduction has no
-- legs, its purchase's lines are its other side. Sums are numeric: a damaged amount may be of any size.
select j.id, j.movement_id, j.kind, j.book, j.account_id, j.currency, j.amount_micro,
    e.account_id as entry_account_id, e.kind as entry_kind, e.amount_cents as entry_amount_cents,
    s.sum_micro
from ledger.journal j
left join ledger.entry e on e.id = j.movement_id
left join (
    select movement_id, currency, sum(amount_micro) as sum_micro
    from ledger.journal
    group by movement_id, currency
    having sum(amount_micro) <> 0
) as s on s.movement_id = j.movement_id and s.currency = j.currency
where j.id > :after_id
    and (
        s.sum_micro is not null
        or (
            j.book = 'credits'
            and (
                j.currency <> 'USD'
                or j.account_id is distinct from e.account_id
                or j.amount_micro is distinct from e.amount_cents::numeric * 1000000
            )
        )
        or (
            -- The whole of the other side.
            j.book in ('adjustments', 'receivables') and j.kind in ('adjustment', 'owed')
            and (
                j.currency <> 'USD'
                or j.account_id is distinct from e.account_id
                or j.amount_micro is distinct from -e.amount_cents::numeric * 1000000
            )
        )
        or (j.book = 'receivables' and (j.currency <> 'USD' or j.account_id is null))
        or (j.kind = 'adjustment' and j.book not in ('credits', 'adjustments'))
        or (j.book = 'adjustments' and j.kind <> 'adjustment')
        or (j.kind = 'owed' and j.book not in ('credits', 'receivables'))
        or (j.kind in ('adjustment', 'owed') and e.kind is distinct from 'adjustment')
        or (e.kind = 'adjustment' and j.kind not in ('adjustment', 'owed'))
        or (e.kind = 'top_up' and j.kind <> 'top_up')
        or (e.kind = 'refund' and j.kind not in ('refund', 'dispute'))
        or e.kind = 'deduction'
    )
order by j.id
limit :at_most::integer;

-- name: list_unbooked_entries
-- Entries that do not have one leg in credits, adjustments that do not have one on their other side
-- as well: a page of those after an id.
select e.id, e.kind, count(j.id) filter (where j.book = 'credits') as credits_legs,
    count(j.id) filter (where j.book in ('adjustments', 'receivables')) as other_legs
from ledger.entry e
left join ledger.journal j on j.movement_id = e.id
where e.kind <> 'deduction' and e.id > :after_id
group by e.id
having count(j.id) filter (where j.book = 'credits') <> 1
    or (
        e.kind = 'adjustment'
        and count(j.id) filter (where j.book in ('adjustments', 'receivables')) <> 1
    )
order by e.id
limit :at_most::integer;

-- name: list_unexplained_debts
-- Accounts whose wallet owes other than what the journal's receivables say: a page of them. What is
-- owed to us stands there negative.
select coalesce(w.account_id, j.account_id) as account_id, w.owed_cents, j.owed_micro
from ledger.wallet w
full join (
    select account_id, -sum(amount_micro) as owed_micro
    from ledger.journal
    where book = 'receivables'
    group by account_id
) as j on j.account_id = w.account_id
where coalesce(w.account_id, j.account_id) > :after_account_id
    and coalesce(w.owed_cents, 0)::numeric * 1000000 <> coalesce(j.owed_micro, 0)
order by 1
limit :at_most::integer;

-- name: list_deductions_from
-- Every deduction: a page of those after an id.
select id, account_id, group_id, amount_cents
from ledger.entry
where id > :after_id and kind = 'deduction'
order by id
limit :at_most::integer;

-- name: list_entries_of_groups
-- The deductions that paid for some purchases.
select group_id, account_id, amount_cents, balance_after_cents
from ledger.entry
where id >= :from_id::uuid and id < :to_id::uuid and group_id = any(:group_ids::uuid[])
    and kind = 'deduction';

-- name: change_credits$
select ledger.change_v1(
    :entry_id::uuid, :leg_id::uuid, :account_id::bigint, :entry_kind::text, :movement_kind::text,
    :change_cents::bigint, :group_id::uuid, :description::text
);

-- name: insert_legs!
-- Legs of one movement; at commit they must sum to zero in each currency.
insert into ledger.journal (
    id, movement_id, kind, book, account_id, currency, amount_micro, memo, created_at
)
select l.id, :movement_id, :kind, l.book, l.account_id, l.currency, l.amount_micro, :memo, now()
from unnest(
    :ids::uuid[], :books::text[], :account_ids::bigint[], :currencies::text[],
    :amounts_micro::bigint[]
) as l (id, book, account_id, currency, amount_micro);

-- name: open_wallet!
insert into ledger.wallet (account_id) values (:account_id) on conflict (account_id) do nothing;

-- name: lock_wallet^
select account_id, balance_cents, owed_cents, certified_mg, trees, entry_count
from ledger.wallet
where account_id = :account_id
for no key update;

-- name: update_owed!
update ledger.wallet
set owed_cents = owed_cents + :change_cents
where account_id = :account_id;

-- name: insert_adjustment_request!
insert into ledger.adjustment_request (id, account_id, change_cents, reason, asked_by, asked_at)
values (:id, :account_id, :change_cents, :reason, :asked_by, now());

-- name: lock_adjustment_request^
-- A change that was asked for: whoever comes to decide it at the same time waits.
select id, account_id, change_cents, reason, asked_by, asked_at, decided_by, decided_at, entry_id,
    refusal_reason
from ledger.adjustment_request
where id = :id
for update;

-- name: update_adjustment_approved!
update ledger.adjustment_request
set decided_by = :decided_by, decided_at = now(), entry_id = :entry_id
where id = :id and decided_at is null;

-- name: update_adjustment_refused!
update ledger.adjustment_request
set decided_by = :decided_by, decided_at = now(), refusal_reason = :refusal_reason
where id = :id and decided_at is null;

-- name: list_open_requests
-- Changes of balances that wait for a second operator, oldest first.
select id, account_id, change_cents, reason, asked_by, asked_at, decided_by, decided_at, entry_id,
    refusal_reason
from ledger.adjustment_request
where decided_at is null
order by asked_at, id
limit :at_most::integer;

-- name: count_open_requests$
-- Those about one account; what is open is a handful.
select count(*) from ledger.adjustment_request where decided_at is null and account_id = :account_id;

-- name: list_wrong_requests
-- Changes that were let through, but whose entry is not what was asked for: a page of them.
select r.id, r.account_id, r.change_cents, r.entry_id, e.account_id as entry_account_id,
    e.amount_cents as entry_amount_cents
from ledger.adjustment_request r
left join ledger.entry e on e.id = r.entry_id and e.kind = 'adjustment'
where r.id > :after_id and r.entry_id is not null
    and (e.account_id, e.amount_cents) is distinct from (r.account_id, r.change_cents)
order by r.id
limit :at_most::integer;

-- name: list_journal_totals
-- What each book has come to in each currency. The sums are numeric: a damaged amount may be of any size.
select book, currency, sum(amount_micro) as sum_micro
from ledger.journal
group by book, currency;

-- name: sum_credits^
-- What the wallets hold, and what deductions have taken out of them.
select (select coalesce(sum(balance_cents::numeric), 0) from ledger.wallet) as held_cents,
    (
        select coalesce(-sum(amount_cents::numeric), 0) from ledger.entry where kind = 'deduction'
    ) as deducted_cents;

-- name: list_movement_totals
-- What each of some movements does to each book in each currency, by kind.
select movement_id, kind, book, currency, sum(amount_micro) as sum_micro
from ledger.journal
where movement_id = any(:movement_ids::uuid[])
group by movement_id, kind, book, currency
having sum(amount_micro) <> 0;

-- name: list_movements_of
-- The movements that have a leg of one of some kinds: a page of those after an id.
select distinct movement_id
from ledger.journal
where kind = any(:kinds::text[]) and movement_id > :after_id
order by movement_id
limit :at_most::integer;

-- name: list_balances
-- What some accounts hold; those without a wallet are left out.
select account_id, balance_cents
from ledger.wallet
where account_id = any(:account_ids::bigint[]);

-- name: list_entries_of_ids
-- Some entries, for whoever says that they are theirs.
select id, account_id, kind, amount_cents from ledger.entry where id = any(:entry_ids::uuid[]);

-- name: list_order_refunds_from
-- Every entry that gave credits of an order back: a page of those after an id.
select id, group_id
from ledger.entry
where id > :after_id and kind = 'refund' and group_id is not null
order by id
limit :at_most::integer;

-- name: list_credits_taken
-- Of each account of a range, what refunds and disputes have taken out of its wallet, apart from its
-- orders, and what they have left owed instead; sums are numeric, as a damaged amount may be of any size.
select t.account_id, sum(t.taken_micro) as taken_micro
from (
    select account_id, -amount_cents::numeric * 1000000 as taken_micro
    from ledger.entry
    where kind = 'refund' and group_id is null
        and account_id > :above_account_id and account_id <= :up_to_account_id
    union all
    select account_id, -amount_micro::numeric
    from ledger.journal
    where book = 'receivables' and kind in ('refund', 'dispute')
        and account_id > :above_account_id and account_id <= :up_to_account_id
) as t
group by t.account_id
having sum(t.taken_micro) <> 0;
