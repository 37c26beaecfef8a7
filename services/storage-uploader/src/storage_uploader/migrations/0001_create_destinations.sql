-- Where the uploaders of a station copy its repository to, as their settings say.
CREATE TABLE destinations (
    destination_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    station          text NOT NULL,
    name             text NOT NULL,
    -- The address without any secret: another place under the same name starts empty.
    place            text NOT NULL,
    mirror_deletions boolean NOT NULL DEFAULT false,
    active           boolean NOT NULL DEFAULT true,
    prepared         boolean NOT NULL DEFAULT false,
    reconcile_at     timestamptz NOT NULL DEFAULT now(),
    reconciled_at    timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (station, name)
);

-- What is at a destination: proven by reading it back, or being sent by the job that claims it. A
-- claim holds for as long as that job has its lease under that fencing number.
CREATE TABLE objects (
    destination_id bigint NOT NULL REFERENCES destinations ON DELETE CASCADE,
    name           text NOT NULL,
    size           bigint NOT NULL,
    digest         bytea NOT NULL,
    proven_at      timestamptz,
    -- When a listing of the destination last had it, with the right size.
    seen_at        timestamptz,
    claimed_by     text NOT NULL,
    claim_fence    bigint NOT NULL,
    -- Where an upload in several requests goes on; may allow to write there.
    bookmark       text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (destination_id, name)
);

-- Why a destination is brought up to date. Each round is a job of its own.
CREATE TABLE uploads (
    upload_id      text PRIMARY KEY,
    destination_id bigint NOT NULL REFERENCES destinations,
    purpose        text NOT NULL CHECK (purpose IN ('backup', 'deletion', 'reconcile')),
    backup_id      text NOT NULL DEFAULT '',
    snapshot_id    text NOT NULL DEFAULT '',
    status         text NOT NULL DEFAULT 'waiting'
                   CHECK (status IN ('waiting', 'failed', 'completed', 'cancelled')),
    round          integer NOT NULL DEFAULT 1,
    retry_at       timestamptz,
    failure        jsonb,
    objects        bigint NOT NULL DEFAULT 0,
    size_bytes     bigint NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    ended_at       timestamptz,
    CHECK (purpose = 'reconcile' OR (backup_id <> '' AND snapshot_id <> ''))
);

CREATE UNIQUE INDEX uploads_one_for_each_backup ON uploads (destination_id, purpose, backup_id)
    WHERE purpose <> 'reconcile';
CREATE UNIQUE INDEX uploads_one_reconcile ON uploads (destination_id)
    WHERE purpose = 'reconcile' AND status IN ('waiting', 'failed');
CREATE INDEX uploads_open ON uploads (destination_id) WHERE status IN ('waiting', 'failed');
