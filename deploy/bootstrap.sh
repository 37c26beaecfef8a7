#!/bin/sh
# Sets a checkout up: uv into .tools, then everything that uv.lock names into .venv.
# Needs Python 3.11 or newer. Talks to PyPI and, where Python's venv module is missing and this is
# root, to Debian; to nobody else. The version of uv and its checksums are pinned beside this file.
set -eu
cd "$(dirname "$0")/.."

# Without a private cache an unwritable or missing home directory would be an obstacle.
[ -w "${HOME:-/nonexistent}" ] || export UV_CACHE_DIR="$PWD/.tools/cache"
export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
REQUIREMENTS=deploy/uv-requirements.txt
UV_VERSION=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' "$REQUIREMENTS")

say() { printf 'setup: %s\n' "$*"; }
stop() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

find_python() {
  for name in python3.11 python3 python3.12 python3.13 python3.14; do
    path=$(command -v "$name") || continue
    if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$path"
      return 0
    fi
  done
  return 1
}

# apt_install PACKAGE... : only root can; anybody else is told what to ask for.
apt_install() {
  command -v apt-get >/dev/null || stop "$1 is missing. Install it, then run this again."
  [ "$(id -u)" = 0 ] || stop "$1 is missing. Ask an administrator for: apt-get install $*"
  say "installing $* by apt-get"
  export DEBIAN_FRONTEND=noninteractive
  output=$({ apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } 2>&1) || {
    printf '%s\n' "$output" >&2
    stop "apt-get could not install $*. Install it by hand, then run this again."
  }
}

[ -w . ] || stop "$PWD is not writable for $(id -un). Use a checkout of your own, or correct its owner."

PYTHON=$(find_python) || {
  apt_install python3 python3-venv
  PYTHON=$(find_python) || stop "Python 3.11 or newer is needed; this system's is older."
}

if [ "$(.tools/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$UV_VERSION" ]; then
  say "uv $UV_VERSION into .tools"
  "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
  rm -rf .tools
  "$PYTHON" -m venv .tools || stop "$PYTHON could not make a virtual environment in .tools."
  .tools/bin/python -m pip install -qq --require-hashes --only-binary :all: -r "$REQUIREMENTS" ||
    stop "uv could not be installed from PyPI. Check the network (a proxy goes into HTTPS_PROXY)."
fi

say "the packages of uv.lock into .venv (the first time takes a minute)"
[ -x .venv/bin/python ] || .tools/bin/uv venv --quiet --python "$PYTHON" .venv ||
  stop "$PYTHON could not make a virtual environment in .venv."
.tools/bin/uv sync --frozen --all-packages --all-extras ||
  stop "the packages could not be installed; the lines above say why."
say "ready"
