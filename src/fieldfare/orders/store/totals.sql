-- name: add_impact!
select ledger.add_impact_v1(:account_id, :certified_mg::bigint, :trees::bigint);

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

-- name: sum_lines^
-- What all lines come to as they were written: the partners' part and the margin. Refunds are in the
-- journal. Sums are numeric: a damaged amount may be of any size.
select coalesce(sum(partner_micro::numeric), 0) as partner_micro,
    coalesce(sum(margin_micro::numeric), 0) as margin_micro
from orders.line;
