-- The embedded bus. A message is taken by moving its due_at into the future: a consumer that lives
-- moves it on, and one that died lets it come due again.

CREATE TABLE bus.queues (
    name text PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE bus.bindings (
    queue text NOT NULL REFERENCES bus.queues ON DELETE CASCADE,
    pattern text NOT NULL,
    expression text NOT NULL,
    PRIMARY KEY (queue, pattern)
);

CREATE TABLE bus.messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue text NOT NULL REFERENCES bus.queues ON DELETE CASCADE,
    message_id uuid NOT NULL,
    type text NOT NULL,
    body bytea NOT NULL,
    attempt integer NOT NULL DEFAULT 1,
    deliveries integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    holder uuid,
    question uuid,
    lapses_at timestamptz
);
CREATE INDEX messages_due ON bus.messages (queue, due_at, id);
CREATE INDEX messages_lapsing ON bus.messages (lapses_at) WHERE lapses_at IS NOT NULL;
-- Every message is soon a dead row.
ALTER TABLE bus.messages
    SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE bus.dead_letters (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    queue text NOT NULL,
    reason text NOT NULL,
    message_id uuid NOT NULL,
    type text NOT NULL,
    body bytea NOT NULL,
    attempt integer NOT NULL,
    died_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letters_oldest ON bus.dead_letters (died_at, id);

-- On their way to listeners and askers that are there now: not worth a write-ahead log.
CREATE UNLOGGED TABLE bus.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    body bytea NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_sent ON bus.events (sent_at);

CREATE UNLOGGED TABLE bus.answers (
    question uuid PRIMARY KEY,
    body bytea NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now()
);
