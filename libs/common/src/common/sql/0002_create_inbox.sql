-- Which messages have had their effect: written in the effect's own transaction.
CREATE TABLE inbox (
    queue text NOT NULL,
    id uuid NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (queue, id)
);

CREATE INDEX inbox_handled_at ON inbox (handled_at);
