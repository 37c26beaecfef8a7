-- Which key a secret of an authenticator is sealed under; empty: not known yet, or sealed under none.
alter table totp add column key_id text not null default '';
create index totp_by_key on totp (key_id, user_id);

-- How far each change of SECURITY_ENCRYPTION_KEY has come.
create table resealings (
    key_id text primary key,
    resealed bigint not null default 0,
    started_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz
);
