#!/usr/bin/env bash
# Each planted bug must be found by one of the first seeds that are clean without it.
#
# usage: tests/sim/plants.sh [NAME]...     names as in include/base/plants.def; all without one
set -euo pipefail
cd "$(dirname "$0")/../.."

seeds_max=150
plants=("$@")
if [ ${#plants[@]} -eq 0 ]; then
    mapfile -t plants < <(sed -n 's/^PLANT(\([a-z_]*\),.*/\1/p' include/base/plants.def)
fi
cmake --preset sim >/dev/null
cmake --build --preset sim --target sim >/dev/null
declare -A clean=()
# is_clean SEED: without a plant; looked at once, when it is first asked for.
is_clean() {
    if [ -z "${clean[$1]:-}" ]; then
        clean[$1]=no
        if build/sim/sim "$1" >/dev/null 2>&1; then clean[$1]=yes; fi
    fi
    [ "${clean[$1]}" = yes ]
}
missed=0
for plant in "${plants[@]}"; do
    found=
    for seed in $(seq 1 $seeds_max); do
        is_clean "$seed" || continue
        if ! out=$(build/sim/sim "$seed" --plant "$plant" 2>/dev/null); then
            found=$seed
            break
        fi
    done
    if [ -n "$found" ]; then
        echo "$plant: found by seed $found: $(grep -m 1 -E 'wrong:|died' <<<"$out" | cut -c1-160)"
    else
        echo "$plant: not found by $seeds_max seeds"
        missed=1
    fi
done
exit $missed
