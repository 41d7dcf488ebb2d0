-- name: list_keys
-- The newest keys, which are all that anybody will ever have.
select kid, public_key, added_at, withdrawn_at
from impact.certificate_key
order by added_at desc
limit 200;

-- name: insert_key$
-- Gives no row for a key that is there already.
insert into impact.certificate_key (kid, public_key, added_at)
values (:kid, :public_key, :added_at)
on conflict (kid) do nothing
returning kid;

-- name: update_key_withdrawn$
-- Gives no row for a key that is not there.
update impact.certificate_key
set withdrawn_at = coalesce(withdrawn_at, :withdrawn_at)
where kid = :kid
returning kid;
