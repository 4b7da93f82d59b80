#!/usr/bin/env bash
# SPDX-License-Identifier: BSL-1.0
#
# run.sh BUILD MINUTES [TARGET...]   lets libFuzzer drive each target for so many minutes of CPU time, one by one.
#
# What it found useful is kept in BUILD/corpus/<target>/, where the next run goes on; inputs that broke something are
# in BUILD/findings/<target>/. Prints one line for each target, as the ledger in docs/testing.md has them. Exits with
# 1 if something broke.
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: $0 BUILD MINUTES [TARGET...]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1 minutes=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$build/bin" && ls -d fuzz_* | grep -v '^fuzz_replay_' | sed 's/^fuzz_//')
findings_max=10 # a target that breaks so often has nothing new to say

# The address sanitizer keeps freed memory back; that much is enough to see a use after the end.
export ASAN_OPTIONS="quarantine_size_mb=32:detect_stack_use_after_return=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"

seconds_of() { ps -o cputimes= -p "$1" 2>/dev/null | tr -d ' ' || true; }

# Runs one target until $2 seconds of CPU time are over, or until something breaks. Sets `used` and
# `code`.
run_once() {
  local target=$1 budget=$2 log=$3 pid now
  # The limit is of the wall clock: on a busy machine a program of low priority may get nothing for a long while.
  local options=(-max_len=4096 -timeout=300 -rss_limit_mb=2048 -print_final_stats=1
    -artifact_prefix="$build/findings/$target/")
  [ ! -f "$here/$target.dict" ] || options+=(-dict="$here/$target.dict")
  "$build/bin/fuzz_$target" "${options[@]}" "$build/corpus/$target" "$here/corpus/$target" >"$log" 2>&1 &
  pid=$!
  trap 'kill -USR1 $pid 2>/dev/null; exit 130' INT TERM
  used=0
  while now=$(seconds_of $pid) && [ -n "$now" ]; do
    used=$now
    [ "$used" -lt "$budget" ] || kill -USR1 $pid 2>/dev/null || true # it says its figures and ends
    sleep 1
  done
  code=0
  wait $pid || code=$?
  trap - INT TERM
}

status=0
for target in "$@"; do
  mkdir -p "$build/corpus/$target" "$build/findings/$target" "$build/logs"
  budget=$((minutes * 60)) spent=0 executions=0 coverage=0 broken=0
  while [ $spent -lt $budget ] && [ $broken -lt $findings_max ]; do
    log="$build/logs/$target.$broken.log"
    run_once "$target" $((budget - spent)) "$log"
    spent=$((spent + used))
    count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    executions=$((executions + ${count:-0}))
    reached=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    [ "${reached:-0}" -le $coverage ] || coverage=$reached
    if [ $code -ne 0 ]; then
      broken=$((broken + 1)) status=1
      [ "$used" -gt 0 ] || spent=$((spent + 1))
    fi
  done
  files=$(find "$build/corpus/$target" -type f | wc -l)
  printf '%-18s | %s executions | %s edges | corpus %s | %s.%s CPU minutes | %s findings\n' \
    "$target" "$executions" "$coverage" "$files" $((spent / 60)) $((spent % 60 / 6)) "$broken"
done
exit $status
