-- name: forbid_sending_again!
-- A list that is read from an earlier instant on misses nothing. When it was last sent stays.
update payments.payment
set first_sent_at = least(first_sent_at, now() - :resend_within::interval)
where state = 'pending';

-- name: forbid_refunding_again!
update payments.refund
set first_sent_at = least(first_sent_at, now() - :resend_within::interval)
where state = 'pending' and first_sent_at is not null;

-- name: list_pending_subjects
select subject_id from payments.payment where state = 'pending' order by created_at;

-- name: list_pending_refunds
select r.id, p.subject
from payments.refund r
join payments.payment p on p.id = r.payment_id
where r.state = 'pending'
order by r.created_at;

-- name: find_newest_payment_at$
select created_at from payments.payment order by id desc limit 1;
