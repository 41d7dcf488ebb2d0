-- How the processes that serve hear of each other's use of the rate limits.

-- Unlogged, because a row is true for a second: it costs no write-ahead log and no wait for the disk,
-- and after a crash or a failover every process has written its own anew within a beat.
create unlogged table http.heartbeat (
    process_id uuid primary key,
    beat_at timestamptz not null,
    accounts bigint[] not null check (cardinality(accounts) <= 256),
    owed double precision[] not null,
    wants double precision[] not null,
    uses double precision[] not null,
    check (
        cardinality(owed) = cardinality(accounts)
        and cardinality(wants) = cardinality(accounts)
        and cardinality(uses) = cardinality(accounts)
    )
) with (fillfactor = 50);
comment on table http.heartbeat is
'A row for each process that serves: what it let in, and needs, of the accounts near their rate limit.';
comment on column http.heartbeat.accounts is
'Account ids; of a test token a number below zero, from its hash.';
comment on column http.heartbeat.owed is 'Requests that the process has let in and whose tokens have not come back; by account.';
comment on column http.heartbeat.wants is 'Requests a second that it could let in; by account.';
comment on column http.heartbeat.uses is 'Requests a second that it has let in of late; by account.';
