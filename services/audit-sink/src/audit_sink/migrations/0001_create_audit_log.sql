-- The audit log: one chain, in which each hash covers the entry and the hash before it.
CREATE TABLE audit_log (
    seq bigint PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    -- These three repeat what stands in the entry, for filters; a verification compares them.
    occurred_at timestamptz NOT NULL,
    event_type text NOT NULL,
    risk_level text NOT NULL,
    -- Canonical JSON, as it was hashed. Text: jsonb would change it and refuses U+0000.
    entry text NOT NULL,
    hash text NOT NULL
);

CREATE INDEX audit_log_occurred_at ON audit_log (occurred_at DESC, seq DESC);
CREATE INDEX audit_log_event_type ON audit_log (event_type, occurred_at DESC);
CREATE INDEX audit_log_risk_level ON audit_log (risk_level, occurred_at DESC);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION notify_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_SCHEMA || '_log', '');
    RETURN NULL;
END $$;

CREATE TRIGGER audit_log_inserted AFTER INSERT ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION notify_log();

-- The trigger stops a mistake, this a stolen statement; both together leave only DDL, which the
-- chain and the file bring to light.
REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON audit_log FROM CURRENT_USER;
