-- Long work. A row is running under a lease and a fencing number, or waits for a worker, or ended.
-- A cancelled row without an envelope is a cancel that came before its command.
CREATE TABLE jobs (
    id text PRIMARY KEY,
    queue text NOT NULL DEFAULT '',
    type text NOT NULL DEFAULT '',
    envelope text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'succeeded', 'failed', 'cancelled')),
    attempt integer NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    worker text NOT NULL DEFAULT '',
    lease_expires_at timestamptz,
    retry_at timestamptz,
    cancel_requested boolean NOT NULL DEFAULT false,
    reason text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    CHECK (state <> 'running' OR lease_expires_at IS NOT NULL)
);

CREATE INDEX jobs_open ON jobs (queue, created_at) WHERE state IN ('waiting', 'running');
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;
