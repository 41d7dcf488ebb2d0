-- name: open_exception!
-- Once for each subject that is open.
insert into payments.exception (id, kind, subject, detail, opened_at)
values (:id, :kind, :subject, :detail, now())
on conflict (kind, subject) where resolved_at is null do nothing;

-- name: has_said$
-- Whether this was said of the subject before, however that ended.
select exists (
    select from payments.exception
    where kind = :kind and subject = :subject and detail = :detail
);

-- name: resolve_exceptions!
update payments.exception
set resolved_at = now(), resolution = :resolution
where subject = :subject and resolved_at is null;

-- name: resolve_exception$
-- True if it was open.
update payments.exception
set resolved_at = now(), resolution = :resolution
where id = :id and resolved_at is null
returning true;

-- name: list_open_exceptions
select id, kind, subject, detail, opened_at
from payments.exception
where resolved_at is null
order by opened_at
limit :at_most::integer;

-- name: count_open_exceptions
select kind, count(*) as open from payments.exception where resolved_at is null group by kind;
