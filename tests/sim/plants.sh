#!/usr/bin/env bash
# Each planted bug, built into a broker of its own, must be found by one of the first seeds that are clean without it.
#
# usage: tests/sim/plants.sh [NAME]...     names as in enum plant, include/base.h; all without one
set -euo pipefail
cd "$(dirname "$0")/../.."

seeds_max=50
plants=("$@")
if [ ${#plants[@]} -eq 0 ]; then
    plants=(skip_dir_sync ack_before_flush skip_crc serve_after_failed_flush reuse_producer_id give_before_release
            lose_keys drop_tombstones_early swap_unsynced snapshot_unsynced markers_before_prepare forget_marker
            skip_fence stable_before_marker early_offsets leave_hanging)
fi
cmake --preset sim >/dev/null
cmake --build --preset sim --target sim >/dev/null
clean=()
for seed in $(seq 1 $seeds_max); do
    if build/sim/sim "$seed" >/dev/null 2>&1; then clean+=("$seed"); fi
done
missed=0
for plant in "${plants[@]}"; do
    build=build/plant/$plant
    cmake --preset sim -B "$build" -DBARNABAS_PLANT="$plant" >/dev/null
    cmake --build "$build" --target sim >/dev/null
    found=
    for seed in "${clean[@]}"; do
        if ! out=$("$build/sim" "$seed" 2>/dev/null); then
            found=$seed
            break
        fi
    done
    if [ -n "$found" ]; then
        echo "$plant: found by seed $found: $(grep -m 1 -E 'wrong:|died' <<<"$out" | cut -c1-160)"
    else
        echo "$plant: not found by ${#clean[@]} seeds"
        missed=1
    fi
done
exit $missed
