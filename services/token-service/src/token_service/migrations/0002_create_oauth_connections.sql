-- What keys are stretched with: random, one for the installation.
CREATE TABLE salts (
    purpose    text PRIMARY KEY,
    salt       bytea NOT NULL CHECK (length(salt) >= 16),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Accounts elsewhere that backups may be copied to. A refresh token is sealed under ENCRYPTION_KEY
-- and bound to its row, so that a copy of this table opens nothing and no token can be moved.
CREATE TABLE oauth_connections (
    id                      uuid PRIMARY KEY,
    provider                text NOT NULL,
    account                 text NOT NULL,
    scopes                  text[] NOT NULL DEFAULT '{}',
    refresh_token_encrypted bytea NOT NULL,
    key_id                  text NOT NULL,
    created_at              timestamptz NOT NULL DEFAULT now(),
    created_by              text NOT NULL,
    updated_at              timestamptz NOT NULL DEFAULT now(),
    updated_by              text NOT NULL,
    UNIQUE (provider, account)
);
CREATE INDEX oauth_connections_by_key ON oauth_connections (key_id, id);

-- How far each change of ENCRYPTION_KEY has come.
CREATE TABLE resealings (
    key_id      text PRIMARY KEY,
    resealed    bigint NOT NULL DEFAULT 0,
    started_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
