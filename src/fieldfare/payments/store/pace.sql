-- name: reserve_turns$
-- So many turns to call the card processor, one after another; gives the seconds until the first, below
-- zero for one that may be made up for. No row if they would lie further ahead than `horizon`. The clock
-- is read while the row is locked, so that no two processes get the same turn.
update payments.pace
set next_at = greatest(next_at, clock_timestamp() - :made_up_for::interval)
    + :apart::interval * :turns::integer
where is_current and next_at <= clock_timestamp() + :horizon::interval
returning extract(
    epoch from next_at - :apart::interval * :turns::integer - clock_timestamp()
)::double precision;

-- name: reserve_background_turn$
-- A turn for what nobody waits for, as above; and none before `rest` has passed since the last of them.
update payments.pace
set next_at = greatest(next_at, clock_timestamp() - :made_up_for::interval) + :apart::interval,
    background_at = greatest(background_at, clock_timestamp() - :made_up_for::interval)
    + :rest::interval
where is_current and next_at <= clock_timestamp() + :horizon::interval
    and background_at <= clock_timestamp()
returning extract(epoch from next_at - :apart::interval - clock_timestamp())::double precision;

-- name: hold_turns!
-- No turn for anybody for so long.
update payments.pace
set next_at = greatest(next_at, clock_timestamp() + :span::interval)
where is_current;
