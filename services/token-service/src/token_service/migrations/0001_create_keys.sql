-- What the repository's keys are: its `config` object. Private parts in it are sealed under
-- BACKUP_ENCRYPTION_KEY, so that a copy of this table opens nothing.
CREATE TABLE keys (
    -- There is one repository so far, which all stations write into.
    keyring       text PRIMARY KEY DEFAULT 'main',
    repository_id text NOT NULL UNIQUE,
    generation    integer NOT NULL CHECK (generation > 0),
    encrypted     boolean NOT NULL,
    config        bytea NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    updated_by    text NOT NULL
);
