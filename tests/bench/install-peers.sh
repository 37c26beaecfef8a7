#!/usr/bin/env bash
# Puts the newest restic and borg below $1 (default .tools/peers) without touching the system:
# restic from the package of Debian's newest suite, borg built from its release on PyPI.
# Then: PATH="$1/bin:$PATH" make bench
set -euo pipefail
target=$(realpath -m "${1:-.tools/peers}")
mkdir -p "$target/bin"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -x "$target/bin/restic" ]; then
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main" \
    >"$work/sources.list"
  options=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update
  (cd "$work" && apt-get "${options[@]}" download restic && dpkg -x restic_*.deb restic)
  install -m 0755 "$work/restic/usr/bin/restic" "$target/bin/restic"
fi

if [ ! -x "$target/bin/borg" ]; then
  missing=$(dpkg-query -W -f '${Status} ${Package}\n' libssl-dev libacl1-dev liblz4-dev libzstd-dev \
    libxxhash-dev pkg-config gcc python3-dev 2>&1 | grep -cv '^install ok installed' || true)
  if [ "$missing" -gt 0 ]; then
    [ "$(id -u)" = 0 ] || { echo "borg needs: apt-get install libssl-dev libacl1-dev liblz4-dev libzstd-dev libxxhash-dev pkg-config gcc python3-dev" >&2; exit 1; }
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends libssl-dev libacl1-dev liblz4-dev libzstd-dev \
      libxxhash-dev pkg-config gcc python3-dev >/dev/null
  fi
  python3 -m venv "$target/borg"
  "$target/borg/bin/pip" install --quiet "borgbackup==1.4.*"
  ln -sf "$target/borg/bin/borg" "$target/bin/borg"
fi

"$target/bin/restic" version
"$target/bin/borg" --version
