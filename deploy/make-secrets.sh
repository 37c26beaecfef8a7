#!/usr/bin/env bash
# Makes deploy/secrets/ for compose.yaml: every password and key, random, readable by you alone.
# Run it once as root, after `make setup`: the containers read the files as their owner. It never
# overwrites what is there.
#
#   deploy/make-secrets.sh [FOLDER]        FOLDER: default deploy/secrets
#
# Then keep FOLDER/backup_encryption_key offline as well: without it no backup opens.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
strongroom="$here/../.venv/bin/strongroom"
secrets=${1:-$here/secrets}
services=(gateway backup-worker storage-uploader restore-worker audit-sink token-service)

[ -x "$strongroom" ] || { echo "The strongroom command is missing: run 'make setup' first." >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "Run it as root (sudo): the containers read these files as their owner." >&2; exit 1; }
[ ! -e "$secrets" ] || { echo "$secrets is there already; nothing was changed. Move it away to make new secrets." >&2; exit 1; }
umask 077
unfinished=$(mktemp -d "$secrets.XXXXXX")
trap 'rm -rf "$unfinished"' EXIT

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

random >"$unfinished/postgres_password"
random >"$unfinished/admin_password"
"$strongroom" keys generate >"$unfinished/backup_encryption_key"
for name in encryption_key security_encryption_key security_key_salt; do
  "$strongroom" keys generate >"$unfinished/$name"
done
"$strongroom" keys writer --key-file "$unfinished/backup_encryption_key" >"$unfinished/backup_writer_key"

passwords='{'
for service in "${services[@]}"; do
  name=${service//-/_}
  database=$(random)
  broker=$(random)
  echo "${name^^}_DB_PASSWORD=$database" >>"$unfinished/postgres.env"
  printf '%s' "postgresql://$name:$database@postgres/strongroom" >"$unfinished/${name}_database_url"
  printf '%s' "amqp://$service:$broker@rabbitmq/" >"$unfinished/${name}_amqp_url"
  passwords+="\"$service\": \"$broker\", "
done
echo "BUS_DB_PASSWORD=$(random)" >>"$unfinished/postgres.env"
for login in operator subscriber; do
  broker=$(random)
  printf '%s' "$broker" >"$unfinished/rabbitmq_${login}_password"
  passwords+="\"$login\": \"$broker\", "
done
echo "${passwords%, }}" | python3 "$here/rabbitmq/with_passwords.py" >"$unfinished/rabbitmq-definitions.json"
# The broker reads this one file as a user of its own; it holds salted hashes of random passwords.
chmod 0644 "$unfinished/rabbitmq-definitions.json"

mv -T "$unfinished" "$secrets"
trap - EXIT
echo "The secrets are in $secrets. The first administrator is 'admin', with the password in admin_password."
