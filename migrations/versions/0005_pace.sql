-- When the card processor may be called next, by all processes together.

create table payments.pace (
    is_current boolean primary key default true check (is_current),
    next_at timestamptz not null,
    background_at timestamptz not null
) with (fillfactor = 50);
comment on table payments.pace is
'When the card processor may be called next; one row, from which every process reserves its turns.';
comment on column payments.pace.background_at is
'No turn before this for what no client waits for.';
insert into payments.pace (next_at, background_at) values (now(), now());
