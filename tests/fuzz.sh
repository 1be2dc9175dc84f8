#!/usr/bin/env bash
# Throws made-up input at every reader of what others wrote, from a seed, on all processors, and
# prints how much each target got and how often it failed. What fails is shown as a command that
# shows it again.
#
#   tests/fuzz.sh [EXECUTIONS] [SEED]    17 million unless told, of which 10 million are keys: some minutes

set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_PROFILE_FUZZ_DEBUG=line-tables-only
exec cargo run --locked --quiet --profile fuzz --package fuzz -- \
    --executions "${1:-17000000}" ${2:+--seed "$2"}
