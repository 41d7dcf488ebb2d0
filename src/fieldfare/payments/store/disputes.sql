-- name: find_dispute^
select dispute_id, payment_id, amount_minor, currency, state, opened_at
from payments.dispute
where dispute_id = :dispute_id;

-- name: insert_dispute!
insert into payments.dispute (
    dispute_id, payment_id, amount_minor, currency, state, reason, opened_at
)
values (:dispute_id, :payment_id, :amount_minor, :currency, 'open', :reason, :opened_at);

-- name: update_dispute_closed!
update payments.dispute
set state = :state, closed_at = now(), settled_at = now(),
    returns = returns + (:state = 'won')::integer,
    moved_at = case when :state = 'won' then now() else moved_at end
where dispute_id = :dispute_id and state = 'open';

-- name: update_dispute_open!
-- One that was won goes on.
update payments.dispute
set state = 'open', closed_at = null, settled_at = null, withdrawals = withdrawals + 1,
    moved_at = now()
where dispute_id = :dispute_id and state = 'won';

-- name: update_dispute_credits!
update payments.dispute
set credits_cents = :credits_cents
where dispute_id = :dispute_id and state = 'lost';

-- name: list_open_disputes
-- Disputes that are not decided yet, with what they are about, by id: a page of them.
select d.dispute_id, d.amount_minor, d.currency, d.reason, d.opened_at, p.subject, p.subject_id,
    p.account_id, p.charge_id
from payments.dispute d
join payments.payment p on p.id = d.payment_id
where d.state = 'open' and d.dispute_id > :after_id
order by d.dispute_id
limit :at_most::integer;
