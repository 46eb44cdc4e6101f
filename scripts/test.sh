#!/usr/bin/env bash
# Builds with sanitizers and passes every test: lint, unit tests, real clients and tools. Installs what it needs on Debian 12.
#
# The last line is "N passed, N failed"; the exit code is 0 when nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0
# count NAME PASSED FAILED: adds up, and says so.
count() {
    passed=$((passed + $2))
    failed=$((failed + $3))
    echo "$1: $2 passed, $3 failed"
}
# step NAME COMMAND...: one test that is a command.
step() {
    local name=$1
    shift
    if "$@"; then count "$name" 1 0; else count "$name" 0 1; fi
}
# build PRESET
build() {
    cmake --preset "$1" >/dev/null && cmake --build --preset "$1" -- -k 0 | tail -n 40
}
# unit PRESET: all unit tests of a build.
unit() {
    local out
    out=$(ctest --test-dir "build/$1" --parallel "$(nproc)" --output-on-failure 2>&1)
    echo "$out" | grep -E 'Failed|\*\*\*|FAILED' || true
    local all bad
    all=$(sed -n 's/.* tests failed out of \([0-9]*\).*/\1/p' <<<"$out")
    bad=$(sed -n 's/.*, \([0-9]*\) tests failed out of .*/\1/p' <<<"$out")
    if [ -z "$all" ]; then
        echo "$out" | tail -n 20
        count "unit tests ($1)" 0 1
        return
    fi
    [ "$bad" -eq 0 ] || echo "$out" | tail -n 200
    local skipped
    skipped=$(grep -c '^[[:space:]].*(Skipped)$' <<<"$out") # in the list of what did not run
    [ "$skipped" -eq 0 ] || echo "unit tests ($1): $skipped skipped"
    count "unit tests ($1)" $((all - bad - skipped)) "$bad"
}

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

scripts/install-deps test || exit 1
step "lint" python3 tests/lint/test_lint.py
step "wiregen" python3 tests/wiregen/test_wiregen.py
step "config/server.properties" scripts/gen-server-properties --check
step "build (asan)" build asan
unit asan
step "fault sweep, every case (asan)" build/asan/sweep files --full
step "fault sweep of transactions, every case (asan)" build/asan/sweep transactions --full
step "random requests, 100 seeds" build/asan/requests 1 --runs 100
step "simulator, 500 seeds" scripts/sim 1 --runs 500
step "simulator, planted bugs" scripts/sim --plants
step "build (clang)" build clang
step "build (release)" build release

step "fuzz" scripts/fuzz --seconds 10

# Real clients and tools, against the build with sanitizers.
if report=$(tests/compat/run --broker build/asan/barnabas); then :; fi
echo "$report"
compat=$(tail -n 1 <<<"$report")
count "compat" "$(sed -n 's/^\([0-9]*\) passed.*/\1/p' <<<"$compat" | grep . || echo 0)" \
    "$(sed -n 's/.* \([0-9]*\) failed$/\1/p' <<<"$compat" | grep . || echo 1)"

step "crash test, 25 cycles (asan)" timeout 600 scripts/crash-test 25 --build asan

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
