#!/usr/bin/env bash
# Installs what a few tests ask for and are skipped without: a browser, and slowhttptest. For CI;
# nothing fails when they cannot be had.
set -euo pipefail

missing=()
for name in chromium slowhttptest; do
  command -v "$name" >/dev/null || missing+=("$name")
done
((${#missing[@]})) || exit 0

if ((EUID == 0)) && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  {
    timeout 120 apt-get update || true
    timeout 600 apt-get install -y --no-install-recommends "${missing[@]}" && exit 0
  } </dev/null >&2
fi
echo "programs: tests will be skipped for want of ${missing[*]}" >&2
