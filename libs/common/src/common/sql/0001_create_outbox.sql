-- Messages that a transaction wants sent: written with what they tell of, deleted once on the bus.
CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    -- NULL: an event, for all who listen.
    queue text,
    -- CloudEvents JSON as text: jsonb refuses the character U+0000, which a file's name may hold.
    envelope text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- A message that the bus refuses is set aside until retry_at, so that others pass it.
    attempts integer NOT NULL DEFAULT 0,
    retry_at timestamptz,
    reason text NOT NULL DEFAULT ''
);

CREATE INDEX outbox_parked ON outbox (retry_at) WHERE retry_at IS NOT NULL;

CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_SCHEMA || '_outbox', '');
    RETURN NULL;
END $$;

CREATE TRIGGER outbox_inserted AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox();
