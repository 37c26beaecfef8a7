drop table rate_windows;

-- How much more than others the users with a role may ask.
alter table roles add column request_factor real not null default 1 check (request_factor > 0);
update roles set request_factor = 5 where name = 'administrator';

-- How often a user or an address asked in this minute and this hour. Unlogged: losing it in a crash of
-- the server begins the windows anew, and a commit waits for no disk.
create unlogged table request_counts (
    bucket text primary key,
    minute bigint not null,
    minute_hits int not null,
    hour bigint not null,
    hour_hits int not null
) with (fillfactor = 50);

-- Counts one more and says how it stands; joined to the statement that finds out who is asking.
create function count_request(
    which text,
    out minute_hits int, out minute_left double precision,
    out hour_hits int, out hour_left double precision
) language plpgsql volatile as $$
declare
    epoch double precision := extract(epoch from clock_timestamp());
begin
    insert into request_counts as c
    values (which, floor(epoch / 60), 1, floor(epoch / 3600), 1)
    on conflict (bucket) do update set
        minute_hits = case when excluded.minute > c.minute then 1 else c.minute_hits + 1 end,
        minute = greatest(excluded.minute, c.minute),
        hour_hits = case when excluded.hour > c.hour then 1 else c.hour_hits + 1 end,
        hour = greatest(excluded.hour, c.hour)
    returning c.minute_hits, (c.minute + 1) * 60 - epoch, c.hour_hits, (c.hour + 1) * 3600 - epoch
    into count_request.minute_hits, minute_left, count_request.hour_hits, hour_left;
end
$$;

-- A browser or program from which the account was opened before. Its failures count apart, so that
-- strangers cannot lock its user out.
create table known_devices (
    digest bytea primary key,
    account bytea not null,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now()
);
create index known_devices_by_account on known_devices (account, last_seen_at desc);

-- Whose failure it was: null is any stranger's.
alter table login_failures add column device bytea;
create index login_failures_by_address on login_failures (address, failed_at);

create table password_history (
    user_id uuid not null references users on delete cascade,
    password_hash text not null,
    set_at timestamptz not null default clock_timestamp()
);
create index password_history_by_user on password_history (user_id, set_at desc);

-- What the replicas have seen on a day, for the statistics.
create table security_counts (
    day date not null,
    name text not null,
    count bigint not null,
    primary key (day, name)
);
