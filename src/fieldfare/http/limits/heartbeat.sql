-- name: beat
-- One process's row anew, and those of all others that live. The rows of who died long ago go.
with ours as (
    insert into http.heartbeat (process_id, beat_at, accounts, owed, wants, uses)
    values (
        :process_id, now(), :accounts::bigint[], :owed::double precision[],
        :wants::double precision[], :uses::double precision[]
    )
    on conflict (process_id) do update set
        beat_at = excluded.beat_at, accounts = excluded.accounts,
        owed = excluded.owed, wants = excluded.wants, uses = excluded.uses
),

long_gone as (
    delete from http.heartbeat
    where process_id in (
        select process_id from http.heartbeat
        where beat_at < now() - interval '1 minute'
        for update skip locked
    )
)

select
    process_id, accounts, owed, wants, uses,
    greatest(0, extract(epoch from now() - beat_at))::double precision as age_s
from http.heartbeat
where process_id <> :process_id and beat_at > now() - make_interval(secs => :alive_s::double precision);

-- name: leave!
-- A process has stopped.
delete from http.heartbeat where process_id = :process_id;
