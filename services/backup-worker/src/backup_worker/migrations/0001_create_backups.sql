-- The last snapshot of each chain, as far as this service has recorded it. Whoever commits a
-- backup holds the row, so that the numbers of a chain have no gap and no fork.
CREATE TABLE chains (
    chain       text PRIMARY KEY,
    counter     bigint NOT NULL DEFAULT 0 CHECK (counter >= 0),
    snapshot_id text,
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE backups (
    backup_id    text PRIMARY KEY,
    backup_name  text NOT NULL,
    station      text NOT NULL,
    plan         text NOT NULL,
    backup_type  text NOT NULL,
    status       text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
    chain        text NOT NULL,
    counter      bigint,
    snapshot_id  text,
    entries      bigint NOT NULL DEFAULT 0,
    size_bytes   bigint NOT NULL DEFAULT 0,
    added_bytes  bigint NOT NULL DEFAULT 0,
    stored_bytes bigint NOT NULL DEFAULT 0,
    warnings     jsonb NOT NULL DEFAULT '[]',
    failure      jsonb,
    started_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    CHECK (status <> 'completed' OR (snapshot_id IS NOT NULL AND counter IS NOT NULL))
);

CREATE UNIQUE INDEX backups_one_place_each ON backups (chain, counter);

-- Every attempt at a backup writes as a run of its own. A run is open until its snapshot is
-- recorded or what it left in the repository is removed.
CREATE TABLE runs (
    run_id     uuid PRIMARY KEY,
    backup_id  text NOT NULL REFERENCES backups,
    worker     text NOT NULL,
    attempt    integer NOT NULL,
    open       boolean NOT NULL DEFAULT true,
    started_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX runs_open ON runs (backup_id) WHERE open;
