alter table roles
    add column description text not null default '',
    add column built_in boolean not null default false,
    -- whoever has the role needs a second factor
    add column mfa_required boolean not null default false;
update roles set built_in = true;

alter table users
    alter column password_hash drop not null,
    add column must_change_password boolean not null default false,
    add column disabled_at timestamptz,
    add column last_login_at timestamptz,
    -- who the provider of OpenID Connect says this is
    add column oidc_issuer text,
    add column oidc_subject text,
    add unique (oidc_issuer, oidc_subject);

alter table sessions
    add column method text not null default 'password',
    -- when a factor was last given in this session
    add column proven_at timestamptz not null default now(),
    add column second_factor_at timestamptz;
create index sessions_by_creation on sessions (created_at);

-- Which permissions are in use; the time lags a minute behind.
create table permission_uses (
    user_id uuid not null references users on delete cascade,
    permission text not null,
    used_at timestamptz not null,
    primary key (user_id, permission)
);

create table api_keys (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    name text not null,
    -- the beginning of the key, to tell keys apart
    prefix text not null,
    secret_digest bytea not null unique,
    scopes text[] not null,
    -- empty: every station
    station text not null default '',
    -- whether it may do what needs a fresh factor in a session
    sensitive boolean not null default false,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    last_used_address text not null default '',
    unique (user_id, name)
);

create table totp (
    user_id uuid primary key references users on delete cascade,
    secret text not null,
    confirmed_at timestamptz,
    -- the time step of the last code that was accepted: no code counts twice
    last_step bigint not null default 0,
    created_at timestamptz not null default now()
);

create table recovery_codes (
    user_id uuid not null references users on delete cascade,
    code_digest bytea not null,
    used_at timestamptz,
    primary key (user_id, code_digest)
);

create table passkeys (
    credential_id bytea primary key,
    id uuid not null unique,
    user_id uuid not null references users on delete cascade,
    name text not null,
    public_key bytea not null,
    sign_count bigint not null,
    created_at timestamptz not null default now(),
    last_used_at timestamptz
);
create index passkeys_by_user on passkeys (user_id);

-- What was begun and waits for its answer from outside; taken once.
create table challenges (
    digest bytea primary key,
    kind text not null,
    user_id uuid references users on delete cascade,
    session_id uuid references sessions on delete cascade,
    data jsonb not null,
    expires_at timestamptz not null
);
create index challenges_by_expiry on challenges (expires_at);
