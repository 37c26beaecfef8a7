#!/usr/bin/env bash
# Installs the RabbitMQ package for the tests, which start a private node of it. Its system service
# is not started. Does nothing where a broker is named (AMQP_URL), the package is there, or Docker.
set -euo pipefail

if [ -n "${AMQP_URL:-}" ] || compgen -G '/usr/lib/rabbitmq/lib/rabbitmq_server-*' >/dev/null; then
  exit 0
fi
if docker info >/dev/null 2>&1; then
  echo "The tests will run RabbitMQ in a container."
  exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo -n)
fi
if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
  echo "The tests need RabbitMQ, which cannot be installed here without your help: install the" >&2
  echo "package rabbitmq-server, or start Docker, or set AMQP_URL to a broker for tests." >&2
  exit 1
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
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -q --no-install-recommends rabbitmq-server
