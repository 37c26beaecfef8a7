create table roles (
    name text primary key,
    permissions text[] not null
);

insert into roles (name, permissions) values
    ('administrator', '{manage_settings,backups:read,backups:create,backups:restore,backups:delete,tokens:issue,audit:read,users:manage}'),
    ('operator', '{backups:read,backups:create,backups:restore,tokens:issue}'),
    ('auditor', '{backups:read,audit:read}'),
    ('viewer', '{backups:read}');

create table users (
    id uuid primary key,
    name text not null,
    -- the name as it is compared: without case, spaces around it or variants of one character
    name_key text not null unique,
    password_hash text not null,
    created_at timestamptz not null default now()
);

create table user_roles (
    user_id uuid not null references users on delete cascade,
    role text not null references roles,
    primary key (user_id, role)
);

create table sessions (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    token_digest bytea not null unique,
    address text not null,
    user_agent text not null,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now()
);
create index sessions_by_user on sessions (user_id, created_at);
create index sessions_by_last_seen on sessions (last_seen_at);

-- One row for each login that was tried and has not succeeded. The account is a digest, because
-- people type their password into the name's field.
create table login_failures (
    account bytea not null,
    address text not null,
    failed_at timestamptz not null default now()
);
create index login_failures_by_account on login_failures (account, failed_at);
create index login_failures_by_time on login_failures (failed_at);

create table rate_windows (
    bucket text not null,
    seconds int not null,
    starts_at timestamptz not null,
    hits int not null,
    primary key (bucket, seconds, starts_at)
);
create index rate_windows_by_start on rate_windows (starts_at);
