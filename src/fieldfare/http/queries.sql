-- name: forget_old_keys
-- Answered keys past their time, a bounded number in one statement.
delete from http.idempotency_key
where key_hash in (
    select key_hash
    from http.idempotency_key
    where created_at < now() - make_interval(hours => :hours::integer) and answer is not null
    order by created_at
    limit :at_most::integer
)
returning subject_id;

-- name: answer_key$
select http.answer_key_v1(:subject_id, :status::smallint, :body);

-- name: forget_key$
select http.forget_key_v1(:subject_id);

-- name: look_at_key^
-- What a client's key says, recording nothing.
select verdict, status, answer, subject_id
from http.claim_keys_v1(array[:key_hash::bytea], array[:fingerprint::bytea]);

-- name: find_kept_answer^
-- What was answered to this request the first time, if it was; a key that was freed and then used with
-- another body says nothing of it.
select status, answer as body
from http.idempotency_key
where key_hash = :key_hash and fingerprint = :fingerprint and answer is not null;
