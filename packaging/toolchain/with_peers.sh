#!/usr/bin/env bash
# Runs the peers' python3 with the given arguments and PEERS set, e.g. one end-to-end test:
#   packaging/toolchain/with_peers.sh -m unittest discover -v -s tests/end_to_end -p test_NAME.py
set -euo pipefail
PEERS=$("$(dirname "${BASH_SOURCE[0]}")/peers.sh")
export PEERS PYTHONDONTWRITEBYTECODE=1
exec "$PEERS/bin/python3" "$@"
