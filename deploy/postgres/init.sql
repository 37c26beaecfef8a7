-- One schema and one login role for each service, in the database that psql is connected to.
--
--   GATEWAY_DB_PASSWORD=... BACKUP_WORKER_DB_PASSWORD=... ... psql -X -f init.sql DATABASE
--
-- Run it as a superuser (or as the owner of the database with CREATEROLE), as often as you like: it
-- creates what is missing and sets the passwords. They come from the environment, so that none
-- stands in a process list; the roles are the whole server's, the schemas this database's.
-- `bus` is the embedded transport and is not needed with RabbitMQ; it is created all the same.
-- PLATFORM_BACKUP_DB_PASSWORD, if set, adds a role that reads everything and may create databases:
-- the one that a backup of Strongroom's own database uses.

\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

-- A failing statement below would otherwise stand in the server's log with its password.
SELECT current_setting('is_superuser') AS superuser \gset
\if :superuser
  SET log_min_error_statement = panic;
  SET log_statement = 'none';
  SET log_min_duration_statement = -1;
\endif

\getenv gateway_password GATEWAY_DB_PASSWORD
\getenv backup_worker_password BACKUP_WORKER_DB_PASSWORD
\getenv storage_uploader_password STORAGE_UPLOADER_DB_PASSWORD
\getenv restore_worker_password RESTORE_WORKER_DB_PASSWORD
\getenv audit_sink_password AUDIT_SINK_DB_PASSWORD
\getenv token_service_password TOKEN_SERVICE_DB_PASSWORD
\getenv bus_password BUS_DB_PASSWORD
\getenv platform_backup_password PLATFORM_BACKUP_DB_PASSWORD

SELECT :{?gateway_password} AND :{?backup_worker_password} AND :{?storage_uploader_password}
   AND :{?restore_worker_password} AND :{?audit_sink_password} AND :{?token_service_password}
   AND :{?bus_password} AS complete \gset
\if :complete
\else
  DO $$ BEGIN RAISE EXCEPTION 'a password is missing: set <ROLE>_DB_PASSWORD for gateway, '
    'backup_worker, storage_uploader, restore_worker, audit_sink, token_service and bus'; END $$;
\endif

-- Two runs at once would both find a role missing.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('strongroom init.sql')) \g /dev/null

SELECT format('CREATE ROLE %I', role)
FROM unnest(ARRAY['gateway', 'backup_worker', 'storage_uploader', 'restore_worker', 'audit_sink',
                  'token_service', 'bus']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

SELECT format('ALTER ROLE %I LOGIN NOCREATEDB NOCREATEROLE PASSWORD %L', role, password)
FROM (VALUES
  ('gateway', :'gateway_password'),
  ('backup_worker', :'backup_worker_password'),
  ('storage_uploader', :'storage_uploader_password'),
  ('restore_worker', :'restore_worker_password'),
  ('audit_sink', :'audit_sink_password'),
  ('token_service', :'token_service_password'),
  ('bus', :'bus_password')
) AS logins (role, password) \gexec

-- Nobody gets anything by merely having a login.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;

SELECT format(statement, role, current_database())
FROM unnest(ARRAY['gateway', 'backup_worker', 'storage_uploader', 'restore_worker', 'audit_sink',
                  'token_service', 'bus']) AS role,
     unnest(ARRAY[
       'GRANT CONNECT ON DATABASE %2$I TO %1$I',
       'CREATE SCHEMA IF NOT EXISTS %1$I',
       'REVOKE ALL ON SCHEMA %1$I FROM PUBLIC',
       'GRANT USAGE, CREATE ON SCHEMA %1$I TO %1$I',
       'ALTER ROLE %1$I IN DATABASE %2$I SET search_path = %1$I'
     ]) WITH ORDINALITY AS statements (statement, place)
ORDER BY role, place \gexec

\if :{?platform_backup_password}
  SELECT 'CREATE ROLE platform_backup'
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'platform_backup') \gexec
  ALTER ROLE platform_backup LOGIN CREATEDB NOCREATEROLE PASSWORD :'platform_backup_password';
  GRANT pg_read_all_data TO platform_backup;
  SELECT format('GRANT CONNECT ON DATABASE %I TO platform_backup', current_database()) \gexec
\endif
COMMIT;
