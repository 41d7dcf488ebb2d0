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

-- name: adjust$
select ledger.adjust_v1(
    :entry_id::uuid, :leg_ids::uuid[], :account_id::bigint, :change_cents::bigint, :reason::text
);

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
-- Legs whose movement does not sum to zero, or that are not what the adjustment they belong to makes:
-- a page of those after an id. Sums are numeric: a damaged amount may be of any size.
select j.id, j.movement_id, j.kind, j.book, j.account_id, j.currency, j.amount_micro,
    e.account_id as entry_account_id, e.amount_cents as entry_amount_cents, s.sum_micro
from ledger.journal j
left join ledger.entry e on e.id = j.movement_id and e.kind = 'adjustment'
left join (
    select movement_id, currency, sum(amount_micro) as sum_micro
    from ledger.journal
    group by movement_id, currency
    having sum(amount_micro) <> 0
) as s on s.movement_id = j.movement_id and s.currency = j.currency
where j.id > :after_id
    and (
        s.sum_micro is not null
        or (j.kind = 'adjustment') is distinct from (e.id is not null)
        or (
            j.kind = 'adjustment'
            and (
                j.currency <> 'USD'
                or j.account_id is distinct from e.account_id
                or j.amount_micro is distinct from e.amount_cents::numeric * 1000000
                    * case j.book when 'credits' then 1 when 'adjustments' then -1 end
            )
        )
    )
order by j.id
limit :at_most::integer;

-- name: list_unbooked_adjustments
-- Adjustments that do not have one leg in each of their two books: a page of those after an id.
select e.id, count(j.id) filter (where j.book = 'credits') as credits_legs,
    count(j.id) filter (where j.book = 'adjustments') as adjustments_legs
from ledger.entry e
left join ledger.journal j on j.movement_id = e.id
where e.kind = 'adjustment' and e.id > :after_id
group by e.id
having count(j.id) filter (where j.book = 'credits') <> 1
    or count(j.id) filter (where j.book = 'adjustments') <> 1
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
