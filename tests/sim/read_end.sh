#!/usr/bin/env bash
# What runs leave after their clean stop, read by a program that shares no code with the broker.
#
# usage: tests/sim/read_end.sh PROGRAM DIR SEED...
set -euo pipefail
program=$1
dir=$2
shift 2
for seed in "$@"; do
    rm -rf "$dir"
    "$program" "$seed" --export "$dir" >/dev/null
    for data in "$dir"/data*; do
        # What recovery sets aside is no part of the format.
        out=$(python3 tests/tools/read_dir.py "$data" || true)
        summary=$(tail -n 1 <<<"$out")
        faults=$(head -n -1 <<<"$out" | grep -vE '\.corrupt: nobody knows' || true)
        grep -q ' partitions, .* records' <<<"$summary" || { echo "seed $seed: no summary: $summary"; exit 1; }
        [ -z "$faults" ] || { printf 'seed %s: %s:\n%s\n' "$seed" "$data" "$faults"; exit 1; }
        echo "seed $seed: $(basename "$data"): $summary"
    done
done
