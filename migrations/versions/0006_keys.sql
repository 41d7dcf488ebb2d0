-- A key whose answer is kept gives it to all who ask at once: the lock is for who may be the first.

create or replace function http.claim_keys_v1(key_hashes bytea[], fingerprints bytea[])
returns table (
    ordinal integer, verdict text, subject_id uuid, status smallint, answer bytea
)
language plpgsql
as $$
declare
    stored http.idempotency_key;
    is_ours boolean;
begin
    -- The lock is tried, never waited for: keys taken in different orders would deadlock. Each look
    -- at the table is a statement of its own, so it sees what a rival committed before its lock went.
    for position in 1 .. coalesce(array_length(key_hashes, 1), 0) loop
        ordinal := position;
        verdict := 'free';
        subject_id := null;
        status := null;
        answer := null;
        if key_hashes[position] is not null then
            is_ours := key_hashes[position] <> all (key_hashes[1 : position - 1])
                and pg_try_advisory_xact_lock(
                    ('x' || encode(substring(key_hashes[position] for 8), 'hex'))::bit(64)::bigint
                );
            select * into stored from http.idempotency_key k where k.key_hash = key_hashes[position];
            if found and (is_ours or stored.answer is not null) then
                subject_id := stored.subject_id;
                status := stored.status;
                answer := stored.answer;
                verdict := case
                    when stored.fingerprint <> fingerprints[position] then 'mismatch'
                    when stored.answer is null then 'pending'
                    else 'replay'
                end;
            elsif not is_ours then
                verdict := 'in_flight';
            end if;
        end if;
        return next;
    end loop;
end
$$;
