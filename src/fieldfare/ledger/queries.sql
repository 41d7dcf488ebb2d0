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
-- An account's entries, oldest first: a page of all of them.
select id, account_id, number, kind, amount_cents, balance_after_cents, group_id
from ledger.entry
where account_id = :account_id and number > :after_number
order by number
limit :at_most::integer;

-- name: list_unbalanced_movements
-- Movements whose legs do not sum to zero; none, unless somebody wrote past the trigger.
select movement_id, currency, sum(amount_micro) as sum_micro
from ledger.journal
group by movement_id, currency
having sum(amount_micro) <> 0;

-- name: list_adjustment_legs
-- The credits' leg of adjustments beside the entry that it must equal, where the two differ.
select e.id as entry_id, e.account_id, e.amount_cents, j.id as leg_id, j.amount_micro
from ledger.entry e
left join ledger.journal j on j.movement_id = e.id and j.book = 'credits'
where e.kind = 'adjustment' and j.amount_micro is distinct from e.amount_cents * 1000000;

-- name: list_unexplained_debts
-- Wallets that owe other than what the journal's receivables say.
select w.account_id, w.owed_cents, coalesce(j.owed_micro, 0) as owed_micro
from ledger.wallet w
left join (
    select account_id, sum(amount_micro) as owed_micro
    from ledger.journal
    where book = 'receivables'
    group by account_id
) as j on j.account_id = w.account_id
where w.owed_cents * 1000000 <> coalesce(j.owed_micro, 0);

-- name: list_entries_of_groups
-- The deductions that paid for some purchases.
select group_id, account_id, amount_cents, balance_after_cents
from ledger.entry
where id >= :from_id::uuid and id < :to_id::uuid and group_id = any(:group_ids::uuid[])
    and kind = 'deduction';

-- name: list_totals
-- Accounts with any certified mass: a page of all of them.
select account_id, certified_mg
from ledger.wallet
where account_id > :after_account_id and certified_mg > 0
order by account_id
limit :at_most::integer;
