#!/usr/bin/env bash
# The same seed is the same run: every event, and so the hash, in two processes.
#
# usage: tests/sim/same.sh PROGRAM SEED
set -euo pipefail
first=$("$1" "$2" --events | md5sum)
last=$("$1" "$2" | tail -n 1)
second=$("$1" "$2" --events | md5sum)
again=$("$1" "$2" | tail -n 1)
[ "$first" = "$second" ] || { echo "seed $2: the events of two runs differ"; exit 1; }
[ "$last" = "$again" ] || { printf 'seed %s: two runs end differently\n%s\n%s\n' "$2" "$last" "$again"; exit 1; }
grep -Eq 'hash [0-9a-f]{16}$' <<<"$last" || { echo "no hash at the end of: $last"; exit 1; }
echo "$last"
