CREATE TABLE restores (
    restore_id   text PRIMARY KEY,
    backup_id    text NOT NULL,
    snapshot_id  text NOT NULL,
    station      text NOT NULL,
    options      jsonb NOT NULL,
    status       text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
    target       text NOT NULL DEFAULT '',
    entries      bigint NOT NULL DEFAULT 0,
    size_bytes   bigint NOT NULL DEFAULT 0,
    components   jsonb NOT NULL DEFAULT '[]',
    warnings     jsonb NOT NULL DEFAULT '[]',
    failure      jsonb,
    started_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz
);

CREATE TABLE verifications (
    verification_id text PRIMARY KEY,
    backup_id       text NOT NULL,
    snapshot_id     text NOT NULL,
    status          text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
    ok              boolean,
    objects         bigint NOT NULL DEFAULT 0,
    read_bytes      bigint NOT NULL DEFAULT 0,
    findings        jsonb NOT NULL DEFAULT '[]',
    failure         jsonb,
    started_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    CHECK (status <> 'completed' OR ok IS NOT NULL)
);

CREATE TABLE deletions (
    deletion_id text PRIMARY KEY,
    backup_id   text NOT NULL,
    snapshot_id text NOT NULL,
    reason      text NOT NULL,
    status      text NOT NULL CHECK (status IN ('completed', 'failed', 'cancelled')),
    failure     jsonb,
    ended_at    timestamptz NOT NULL DEFAULT now()
);
