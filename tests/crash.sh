#!/usr/bin/env bash
# The long kill loops: SIGKILL at every call that changes files, at every request, before and after
# its work, and at random moments, until so many kills have counted. Prints the tables for
# tests/FAULTS.md; the same seed gives the same moments.
#
#   tests/crash.sh [KILLS] [SEED]    2000 kills unless told

set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_PROFILE_DEV_DEBUG=line-tables-only
export HAUL_CRASH_KILLS=${1:-2000}
if [[ -n ${2:-} ]]; then export HAUL_CRASH_SEED=$2; fi
exec cargo test --locked --test e2e -- --ignored --nocapture crash::
