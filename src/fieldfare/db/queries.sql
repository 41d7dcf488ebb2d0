-- name: list_revisions
-- Every topic's revision; a handful of rows.
select topic, revision from db.change;

-- name: raise_revision$
-- The topic's next revision; the row stays locked until commit, so revisions follow commits.
insert into db.change as c (topic, revision) values (:topic, 1)
on conflict (topic) do update set revision = c.revision + 1
returning revision;

-- name: make_partitions$
-- Monthly partitions of every large table, from this month to that many months ahead.
select db.make_partitions_v1(:months_ahead);

-- name: find_revision$
-- The revision that the database was migrated to.
select version_num from alembic_version;

-- name: try_lock$
-- True if this transaction now holds the lock of that name; never waits.
select pg_try_advisory_xact_lock(hashtextextended(:name, 0));
