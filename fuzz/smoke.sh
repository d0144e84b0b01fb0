#!/usr/bin/env bash
# Runs every fuzz target for a while: fuzz/smoke.sh [seconds each, 15 unless given].
# A finding ends it with an error; the input that shows it is then in fuzz/artifacts.
# An input may take two minutes, for a machine that does other things meanwhile can stand still for long.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-15}

# The fuzzer's instrumentation is an unstable flag of the compiler; this lets a stable one take it.
export RUSTC_BOOTSTRAP=1

cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked

for target in $(cargo fuzz list); do
    mkdir -p "fuzz/corpus/$target"
    cargo fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=1024 -timeout=120 -verbosity=0 -print_final_stats=1 2>&1 |
        sed '/^"/d; /###### .*dictionary/d'
done
