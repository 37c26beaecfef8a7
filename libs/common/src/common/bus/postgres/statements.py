"""All SQL of the embedded bus.

A notification names only what there is to look for: any role of the database could listen to it.
"""

CHANNEL = "strongroom_bus"

DECLARE = "INSERT INTO bus.queues (name) VALUES ($1) ON CONFLICT DO NOTHING"

BIND = """
INSERT INTO bus.bindings (queue, pattern, expression) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""

EXISTS = "SELECT EXISTS (SELECT FROM bus.queues WHERE name = $1)"

SEND = """
WITH stored AS (
    INSERT INTO bus.messages (queue, message_id, type, body)
    SELECT name, $2, $3, $4 FROM bus.queues WHERE name = $1
    RETURNING queue
)
SELECT pg_notify('strongroom_bus', 'queue:' || queue) FROM stored
"""

ASK = """
WITH stored AS (
    INSERT INTO bus.messages (queue, message_id, type, body, question, lapses_at)
    SELECT name, $2, $3, $4, $2, now() + $5::interval FROM bus.queues WHERE name = $1
    RETURNING queue
)
SELECT pg_notify('strongroom_bus', 'queue:' || queue) FROM stored
"""

PUBLISH = """
WITH stored AS (
    INSERT INTO bus.messages (queue, message_id, type, body)
    SELECT DISTINCT queue, $1::uuid, $2::text, $3::bytea
    FROM bus.bindings WHERE $2::text || '.' ~ expression
    RETURNING queue
), sent AS (
    INSERT INTO bus.events (body) VALUES ($3) RETURNING id
)
SELECT pg_notify('strongroom_bus', 'queue:' || queue) FROM stored
UNION ALL
SELECT pg_notify('strongroom_bus', 'event:' || id || ':' || $2::text) FROM sent
"""

EVENTS = "SELECT body FROM bus.events WHERE id = ANY($1) ORDER BY id"

TAKE = """
UPDATE bus.messages
SET holder = $2, deliveries = deliveries + 1, due_at = now() + $3::interval
WHERE id = (
    SELECT id FROM bus.messages
    WHERE queue = $1 AND due_at <= now() AND (lapses_at IS NULL OR lapses_at > now())
    ORDER BY due_at, id
    FOR UPDATE SKIP LOCKED
    LIMIT 1
)
RETURNING id, body, attempt, deliveries, question
"""

NEXT_DUE = "SELECT min(due_at) - now() FROM bus.messages WHERE queue = $1"

DEPTH = """
SELECT count(*) FROM bus.messages
WHERE queue = $1 AND due_at <= now() AND (lapses_at IS NULL OR lapses_at > now())
"""

RENEW = """
UPDATE bus.messages SET due_at = now() + $3::interval WHERE holder = $1 AND id = ANY($2)
"""

ACK = "DELETE FROM bus.messages WHERE id = $1 AND holder = $2 AND deliveries = $3"

RETRY = """
WITH later AS (
    UPDATE bus.messages
    SET attempt = $4, deliveries = 0, holder = NULL, due_at = now() + $5::interval
    WHERE id = $1 AND holder = $2 AND deliveries = $3
    RETURNING queue
)
SELECT pg_notify('strongroom_bus', 'queue:' || queue) FROM later
"""

RELEASE = """
WITH back AS (
    UPDATE bus.messages
    SET deliveries = deliveries - 1, holder = NULL, due_at = now()
    WHERE id = $1 AND holder = $2 AND deliveries = $3
    RETURNING queue
)
SELECT pg_notify('strongroom_bus', 'queue:' || queue) FROM back
"""

RELEASE_ALL = """
WITH back AS (
    UPDATE bus.messages SET holder = NULL, due_at = now() WHERE holder = $1 RETURNING queue
)
SELECT pg_notify('strongroom_bus', 'queue:' || queue) FROM back
"""

BURY = """
WITH gone AS (
    DELETE FROM bus.messages WHERE id = $1 AND holder = $2 AND deliveries = $3
    RETURNING queue, message_id, type, body
)
INSERT INTO bus.dead_letters (queue, reason, message_id, type, body, attempt)
SELECT queue, $4, message_id, type, body, $5 FROM gone
"""

DEAD_LETTERS = """
SELECT id, queue, reason, type, attempt, died_at, body
FROM bus.dead_letters ORDER BY died_at, id LIMIT $1
"""

EXHUME = "DELETE FROM bus.dead_letters WHERE id = $1 RETURNING queue, message_id, type, body"

ANSWER = """
WITH sent AS (
    INSERT INTO bus.answers (question, body) VALUES ($1, $2) ON CONFLICT DO NOTHING
    RETURNING question
)
SELECT pg_notify('strongroom_bus', 'answer:' || question) FROM sent
"""

TAKE_ANSWER = "DELETE FROM bus.answers WHERE question = $1 RETURNING body"

TIDY = (
    "DELETE FROM bus.messages WHERE lapses_at < now()",
    "DELETE FROM bus.events WHERE sent_at < now() - interval '1 minute'",
    "DELETE FROM bus.answers WHERE sent_at < now() - interval '5 minutes'",
)
