#!/usr/bin/env bash
# Builds Barnabas and starts it. Arguments go to the broker: scripts/run.sh [server.properties] [--override key=value]...
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-deps build
cmake --preset release >/dev/null
cmake --build --preset release >/dev/null
exec build/release/barnabas "$@"
