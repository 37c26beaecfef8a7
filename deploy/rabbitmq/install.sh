#!/usr/bin/env bash
# Installs the RabbitMQ package for the tests, which start a private node of it. Its system service
# is not started. Does nothing where a broker is named (AMQP_URL) or the package is there.
set -euo pipefail

if [ -n "${AMQP_URL:-}" ] || compgen -G '/usr/lib/rabbitmq/lib/rabbitmq_server-*' >/dev/null; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "No RabbitMQ here: set AMQP_URL, or have Docker for a container of it." >&2
  exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "No RabbitMQ here: run 'sudo apt-get install rabbitmq-server', or set AMQP_URL." >&2
    exit 1
  fi
  as_root=(sudo -n)
fi

# Debian starts a service as soon as it is installed unless this program forbids it.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  made=yes
fi
trap '[ -z "$made" ] || "${as_root[@]}" rm -f "$policy"' EXIT

echo "Installing RabbitMQ for the tests ..."
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
"${as_root[@]}" apt-get install -y -q --no-install-recommends rabbitmq-server
