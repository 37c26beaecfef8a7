create table operations (
    id uuid primary key,
    kind text not null check (kind in ('backup', 'restore', 'verification', 'deletion')),
    state text not null check (state in ('queued', 'running', 'cancelled', 'failed', 'succeeded')),
    backup_id uuid not null,
    station text not null default '',
    request jsonb not null default '{}',
    result jsonb,
    failure jsonb,
    worker text not null default '',
    attempt int not null default 0,
    -- a user's id; 'system' for what a service began by itself
    requested_by text not null default '',
    idempotency_key text,
    request_digest bytea,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz
);
create index operations_by_kind on operations (kind, created_at desc);
create index operations_by_backup on operations (backup_id, created_at desc);
create unique index operations_by_key on operations (requested_by, idempotency_key)
    where idempotency_key is not null;

create table backups (
    id uuid primary key,
    -- empty until an event or a request has told it
    name text not null default '',
    station text not null default '',
    plan text not null default '',
    backup_type text not null default '',
    components text[] not null default '{}',
    state text not null default 'queued'
        check (state in ('queued', 'running', 'cancelled', 'failed', 'completed', 'deleted')),
    snapshot_id text not null default '',
    entries bigint not null default 0,
    size_bytes bigint not null default 0,
    added_bytes bigint not null default 0,
    stored_bytes bigint not null default 0,
    duration_seconds double precision not null default 0,
    encrypted boolean,
    upload_to_cloud boolean not null default true,
    warnings text[] not null default '{}',
    failure jsonb,
    created_at timestamptz not null,
    finished_at timestamptz,
    verified_at timestamptz,
    verified_ok boolean,
    restored_at timestamptz
);
create index backups_by_time on backups (created_at desc, id);
create index backups_by_name on backups (name, created_at desc);
create index backups_by_state on backups (state, finished_at desc);

create table uploads (
    backup_id uuid not null,
    destination text not null,
    state text not null check (state in ('completed', 'failed')),
    objects bigint not null default 0,
    size_bytes bigint not null default 0,
    failure jsonb,
    retry_at timestamptz,
    told_at timestamptz not null,
    primary key (backup_id, destination)
);
