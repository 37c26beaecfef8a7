-- A database of every kind of object that a dump has to carry. Roles are made by the test.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS pgcrypto;
COMMENT ON EXTENSION pgcrypto IS 'said by the test';

CREATE SCHEMA shop AUTHORIZATION shop_owner;
CREATE SCHEMA "Odd ""name"" $1;--";
COMMENT ON SCHEMA shop IS 'E''s shop';
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop GRANT SELECT ON TABLES TO shop_reader;

CREATE TYPE shop.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE shop.pair AS (a int, b text);
CREATE DOMAIN shop.price AS numeric(12, 2) CHECK (VALUE >= 0);
CREATE TYPE shop.span AS RANGE (subtype = float8);
CREATE COLLATION shop.plain (provider = libc, locale = 'C.UTF-8');

CREATE SEQUENCE shop.numbers START 1000 INCREMENT 7;
CREATE TABLE shop.customer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE shop.plain NOT NULL UNIQUE,
  mood shop.mood DEFAULT 'ok',
  extra jsonb, raw bytea, tags text[], at timestamptz DEFAULT '2024-02-29 12:00:00.123456+01',
  odd shop.pair, twice int GENERATED ALWAYS AS (2 * 21) STORED
);
CREATE TABLE shop.item (
  id int DEFAULT nextval('shop.numbers') PRIMARY KEY,
  customer bigint REFERENCES shop.customer ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  price shop.price, period int4range, EXCLUDE USING gist (period WITH &&)
);
ALTER SEQUENCE shop.numbers OWNED BY shop.item.id;
CREATE TABLE shop.parent (id int, note text);
CREATE TABLE shop.child (more text) INHERITS (shop.parent);
CREATE TABLE shop.log (at date NOT NULL, line text) PARTITION BY RANGE (at);
CREATE TABLE shop.log_2024 PARTITION OF shop.log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.log_rest PARTITION OF shop.log DEFAULT;
CREATE TABLE "Odd ""name"" $1;--"."Table; DROP"" DATABASE" ("col umn" int, "naïve" text);
CREATE UNLOGGED TABLE shop.cache (key text PRIMARY KEY, value text);
CREATE TABLE shop.empty ();

INSERT INTO shop.customer (name, mood, extra, raw, tags, odd)
  SELECT 'Kunde ' || n, (ARRAY['sad', 'ok', 'happy']::shop.mood[])[n % 3 + 1],
    jsonb_build_object('n', n, 'text', repeat('ü', n % 50)), decode(md5(n::text), 'hex'),
    ARRAY['a', NULL, E'new\nline', '\backslash', '"quoted"'], ROW(n, 'x')::shop.pair
  FROM generate_series(1, 3000) AS n;
INSERT INTO shop.item (customer, price, period)
  SELECT n, n / 100.0, int4range(n * 10, n * 10 + 5) FROM generate_series(1, 2000) AS n;
INSERT INTO shop.parent SELECT n, 'p' FROM generate_series(1, 10) AS n;
INSERT INTO shop.child SELECT n, 'c', 'm' FROM generate_series(1, 10) AS n;
INSERT INTO shop.log SELECT '2023-12-01'::date + n, 'line ' || n FROM generate_series(1, 500) AS n;
INSERT INTO "Odd ""name"" $1;--"."Table; DROP"" DATABASE" VALUES (1, E'tab\tand \\N and NULL'), (2, NULL), (3, '');
INSERT INTO shop.cache VALUES ('k', 'v');

CREATE INDEX customer_words ON shop.customer USING gin (name gin_trgm_ops);
CREATE INDEX customer_lower ON shop.customer (lower(name)) WHERE mood <> 'sad';
CREATE STATISTICS shop.seen (dependencies) ON customer, price FROM shop.item;
CREATE FUNCTION shop.total(c bigint) RETURNS numeric LANGUAGE sql STABLE
  AS $f$ SELECT coalesce(sum(price), 0) FROM shop.item WHERE customer = c $f$;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = shop AS
  $f$ BEGIN NEW.extra := coalesce(NEW.extra, '{}') || '{"touched": true}'; RETURN NEW; END $f$;
CREATE PROCEDURE shop.noop() LANGUAGE plpgsql AS $p$ BEGIN NULL; END $p$;
CREATE AGGREGATE shop.longest (text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE OPERATOR shop.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE CAST (shop.pair AS text) WITH INOUT;
CREATE TRIGGER touched BEFORE UPDATE ON shop.customer FOR EACH ROW EXECUTE FUNCTION shop.touch();
ALTER TABLE shop.customer DISABLE TRIGGER touched;
CREATE RULE quiet AS ON DELETE TO shop.parent DO INSTEAD NOTHING;
CREATE VIEW shop.happy WITH (security_barrier) AS SELECT id, name FROM shop.customer WHERE mood = 'happy';
CREATE MATERIALIZED VIEW shop.totals AS SELECT customer, sum(price) AS total FROM shop.item GROUP BY 1;
CREATE UNIQUE INDEX ON shop.totals (customer);
CREATE MATERIALIZED VIEW shop.unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE FUNCTION shop.watch() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN NULL; END $f$;
CREATE EVENT TRIGGER watching ON ddl_command_end WHEN TAG IN ('CREATE CAST')
  EXECUTE FUNCTION shop.watch();
CREATE PUBLICATION news FOR TABLE shop.item WHERE (id > 1);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER far FOREIGN DATA WRAPPER nothing OPTIONS (host 'nowhere');
CREATE FOREIGN TABLE shop.remote (id int) SERVER far;
CREATE TEXT SEARCH CONFIGURATION shop.words (COPY = simple);

ALTER TABLE shop.item ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.item FOR SELECT TO shop_reader USING (price < 10);
GRANT USAGE ON SCHEMA shop TO shop_reader;
GRANT SELECT (id, name) ON shop.customer TO shop_reader WITH GRANT OPTION;
GRANT INSERT, UPDATE ON shop.item TO shop_reader;
REVOKE EXECUTE ON FUNCTION shop.total(bigint) FROM PUBLIC;
COMMENT ON COLUMN shop.customer.name IS E'several\nlines; and ''quotes''';
COMMENT ON FUNCTION shop.total(bigint) IS 'sum';

SELECT lo_from_bytea(4711, decode(repeat('00ff41', 50000), 'hex'));
SELECT lo_from_bytea(4712, '');
GRANT SELECT ON LARGE OBJECT 4711 TO shop_reader;
COMMENT ON LARGE OBJECT 4711 IS 'a large one';

DO $d$ DECLARE r record; BEGIN
  FOR r IN SELECT c.oid::regclass AS name FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'shop' AND c.relkind IN ('r', 'p', 'v')
  LOOP EXECUTE format('ALTER TABLE %s OWNER TO shop_owner', r.name); END LOOP;
END $d$;
SELECT setval('shop.numbers', 987654);
