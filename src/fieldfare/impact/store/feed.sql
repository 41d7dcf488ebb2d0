-- name: find_feed^
-- The public feed, which has one row.
select body, etag, built_at from impact.feed where is_current;

-- name: upsert_feed!
insert into impact.feed (body, etag, built_at)
values (:body, :etag, :built_at)
on conflict (is_current) do update
set body = excluded.body, etag = excluded.etag, built_at = excluded.built_at;

-- name: list_hidden
-- What operators keep out of the feed: all of it, because each was decided by hand.
select purchase_id, reason, hidden_at
from impact.hidden_order
order by hidden_at desc, purchase_id;

-- name: upsert_hidden!
insert into impact.hidden_order (purchase_id, reason, hidden_at)
values (:purchase_id, :reason, :hidden_at)
on conflict (purchase_id) do update
set reason = excluded.reason, hidden_at = excluded.hidden_at;

-- name: delete_hidden$
-- Gives no row if the order was not hidden.
delete from impact.hidden_order where purchase_id = :purchase_id returning purchase_id;

-- name: update_reasons_erased!
-- What an operator wrote about orders whose persons are to be forgotten; they stay hidden.
update impact.hidden_order
set reason = 'Erased'
where purchase_id = any(:purchase_ids::uuid[]);
